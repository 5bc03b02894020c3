/**
 * The lines of a Delta log, as far as this workspace writes and reads them.
 *
 * Source: Delta protocol, "Actions".
 */

export type Protocol = {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  readonly readerFeatures?: readonly string[];
  readonly writerFeatures?: readonly string[];
};

export type Metadata = {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly format: {
    readonly provider: string;
    readonly options: Readonly<Record<string, string>>;
  };
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly createdTime?: number;
};

export type AddFile = {
  /** Relative to the table, percent-encoded. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
  readonly modificationTime: number;
  readonly dataChange: boolean;
  /** JSON text. */
  readonly stats?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly deletionVector?: unknown;
};

export type RemoveFile = {
  readonly path: string;
  readonly deletionTimestamp: number;
  readonly dataChange: boolean;
  readonly extendedFileMetadata: true;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
};

export type Transaction = {
  readonly appId: string;
  readonly version: number;
  readonly lastUpdated: number;
};

export type DomainMetadata = {
  readonly domain: string;
  /** JSON text. */
  readonly configuration: string;
  readonly removed: boolean;
};

export type CommitInfo = {
  readonly timestamp: number;
  readonly operation: string;
  readonly operationParameters: Readonly<Record<string, string>>;
  readonly operationMetrics?: Readonly<Record<string, string>>;
  readonly userName?: string;
  readonly engineInfo?: string;
  readonly isBlindAppend?: boolean;
};

/** One line: an object with one of these keys. */
export type Action = {
  readonly commitInfo?: CommitInfo;
  readonly protocol?: Protocol;
  readonly metaData?: Metadata;
  readonly add?: AddFile;
  readonly remove?: RemoveFile;
  readonly txn?: Transaction;
  readonly domainMetadata?: DomainMetadata;
};
