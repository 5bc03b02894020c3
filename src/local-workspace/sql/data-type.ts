/**
 * The types of columns, as the four who meet here name them: Databricks SQL
 * (`BIGINT`), its Statement Execution API (`LONG`), the schema in a Delta log
 * (`"long"`) and DuckDB (`BIGINT`).
 *
 * Source: Delta protocol, "Schema Serialization Format"; Databricks SQL reference,
 * "Data types"; databricks-sdk-py 0.156.0, `ColumnInfoTypeName`.
 */
import type { DuckDBType } from "@duckdb/node-api";
import { syntaxError, unsupported } from "./sql-error.ts";
import type { TokenReader } from "./token-reader.ts";

export type DataType =
  | { readonly kind: "primitive"; readonly name: PrimitiveName }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "array"; readonly element: DataType; readonly containsNull: boolean }
  | {
      readonly kind: "map";
      readonly key: DataType;
      readonly value: DataType;
      readonly valueContainsNull: boolean;
    }
  | { readonly kind: "struct"; readonly fields: readonly Column[] };

export type Column = {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  /** What else the log keeps of a column, such as its `comment`. */
  readonly metadata: Readonly<Record<string, unknown>>;
};

/** Delta's name → Databricks SQL's, the API's, DuckDB's. */
const primitives = {
  string: { text: "STRING", api: "STRING", duckDb: "VARCHAR" },
  long: { text: "BIGINT", api: "LONG", duckDb: "BIGINT" },
  integer: { text: "INT", api: "INT", duckDb: "INTEGER" },
  short: { text: "SMALLINT", api: "SHORT", duckDb: "SMALLINT" },
  byte: { text: "TINYINT", api: "BYTE", duckDb: "TINYINT" },
  float: { text: "FLOAT", api: "FLOAT", duckDb: "FLOAT" },
  double: { text: "DOUBLE", api: "DOUBLE", duckDb: "DOUBLE" },
  boolean: { text: "BOOLEAN", api: "BOOLEAN", duckDb: "BOOLEAN" },
  binary: { text: "BINARY", api: "BINARY", duckDb: "BLOB" },
  date: { text: "DATE", api: "DATE", duckDb: "DATE" },
  timestamp: { text: "TIMESTAMP", api: "TIMESTAMP", duckDb: "TIMESTAMP WITH TIME ZONE" },
  // DuckDB can't write a VARIANT inside other values; nobody else reads these tables.
  variant: { text: "VARIANT", api: "VARIANT", duckDb: "JSON" },
} as const;

export type PrimitiveName = keyof typeof primitives;

/** Words of Databricks SQL → Delta's. */
const words: Readonly<Record<string, PrimitiveName>> = {
  STRING: "string",
  BIGINT: "long",
  LONG: "long",
  INT: "integer",
  INTEGER: "integer",
  SMALLINT: "short",
  SHORT: "short",
  TINYINT: "byte",
  BYTE: "byte",
  FLOAT: "float",
  REAL: "float",
  DOUBLE: "double",
  BOOLEAN: "boolean",
  BINARY: "binary",
  DATE: "date",
  TIMESTAMP: "timestamp",
  TIMESTAMP_LTZ: "timestamp",
  VARIANT: "variant",
};

const DECIMAL_DEFAULT = { precision: 10, scale: 0 };
const DECIMAL_PRECISION_MAX = 38;

export function primitive(name: PrimitiveName): DataType {
  return { kind: "primitive", name };
}

/** Reads one type, such as `MAP<STRING, ARRAY<INT>>`. */
export function parseDataType(reader: TokenReader): DataType {
  const token = reader.peek();
  const word = reader.name().toUpperCase();
  const known = words[word];
  if (known) return primitive(known);
  switch (word) {
    case "DECIMAL":
    case "DEC":
    case "NUMERIC":
      return parseDecimal(reader);
    case "ARRAY": {
      const [element] = parseAngled(reader, () => [parseDataType(reader)]);
      if (!element) return reader.fail("a type");
      return { kind: "array", element, containsNull: true };
    }
    case "MAP": {
      const [key, value] = parseAngled(reader, () => {
        const keyType = parseDataType(reader);
        reader.expectSymbol(",");
        return [keyType, parseDataType(reader)];
      });
      if (!key || !value) return reader.fail("a type");
      return { kind: "map", key, value, valueContainsNull: true };
    }
    case "STRUCT":
      return { kind: "struct", fields: parseAngled(reader, () => parseFields(reader)) };
    default:
      throw unsupported(
        `the type ${reader.sql.slice(token?.start, token?.end).toUpperCase()} of a column`,
      );
  }
}

function parseDecimal(reader: TokenReader): DataType {
  if (!reader.acceptSymbol("(")) return { kind: "decimal", ...DECIMAL_DEFAULT };
  const precision = Number(reader.next().text);
  const scale = reader.acceptSymbol(",") ? Number(reader.next().text) : 0;
  reader.expectSymbol(")");
  if (!(precision >= 1 && precision <= DECIMAL_PRECISION_MAX && scale >= 0 && scale <= precision)) {
    throw syntaxError(`DECIMAL(${precision}, ${scale}) is not a type.`);
  }
  return { kind: "decimal", precision, scale };
}

/** `>>` is two tokens here, so that nested types close one by one. */
function parseAngled<T>(reader: TokenReader, parse: () => T[]): T[] {
  if (reader.acceptSymbol("<>")) return [];
  reader.expectSymbol("<");
  const parsed = parse();
  reader.expectSymbol(">");
  return parsed;
}

function parseFields(reader: TokenReader): Column[] {
  const fields: Column[] = [];
  do {
    const name = reader.name();
    reader.acceptSymbol(":");
    const type = parseDataType(reader);
    const nullable = !reader.accept("NOT", "NULL");
    const metadata = reader.accept("COMMENT") ? { comment: reader.string() } : {};
    fields.push({ name, type, nullable, metadata });
  } while (reader.acceptSymbol(","));
  return fields;
}

/** As `DESCRIBE` and the API's `type_text` show it. */
export function typeText(type: DataType): string {
  switch (type.kind) {
    case "primitive":
      return primitives[type.name].text;
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "array":
      return `ARRAY<${typeText(type.element)}>`;
    case "map":
      return `MAP<${typeText(type.key)}, ${typeText(type.value)}>`;
    case "struct":
      return `STRUCT<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(", ")}>`;
  }
}

/** As the API's `type_name`. */
export function typeName(type: DataType): string {
  return type.kind === "primitive" ? primitives[type.name].api : type.kind.toUpperCase();
}

/** Whether a value of it holds a VARIANT somewhere. */
export function holdsVariant(type: DataType): boolean {
  switch (type.kind) {
    case "primitive":
      return type.name === "variant";
    case "decimal":
      return false;
    case "array":
      return holdsVariant(type.element);
    case "map":
      return holdsVariant(type.value);
    case "struct":
      return type.fields.some((field) => holdsVariant(field.type));
  }
}

export function duckDbType(type: DataType): string {
  switch (type.kind) {
    case "primitive":
      return primitives[type.name].duckDb;
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "array":
      return `${duckDbType(type.element)}[]`;
    case "map":
      return `MAP(${duckDbType(type.key)}, ${duckDbType(type.value)})`;
    case "struct":
      return `STRUCT(${type.fields.map((field) => `${quoteDuckDb(field.name)} ${duckDbType(field.type)}`).join(", ")})`;
  }
}

/** A name as DuckDB quotes it. */
export function quoteDuckDb(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The type of a result's column, and of a column of `CREATE TABLE … AS`. */
export function fromDuckDb(type: DuckDBType): DataType {
  const text = type.toString();
  // Names as DuckDB prints them; those of a nested type are reached through its parts.
  const fields = type as unknown as {
    readonly valueType?: DuckDBType;
    readonly keyType?: DuckDBType;
    readonly entryNames?: readonly string[];
    readonly entryTypes?: readonly DuckDBType[];
    readonly width?: number;
    readonly scale?: number;
  };
  if (fields.entryNames && fields.entryTypes) {
    const { entryNames, entryTypes } = fields;
    return {
      kind: "struct",
      fields: entryNames.map((name, index) => ({
        name,
        type: fromDuckDb(at(entryTypes, index)),
        nullable: true,
        metadata: {},
      })),
    };
  }
  if (fields.keyType && fields.valueType) {
    return {
      kind: "map",
      key: fromDuckDb(fields.keyType),
      value: fromDuckDb(fields.valueType),
      valueContainsNull: true,
    };
  }
  if (fields.valueType) {
    return { kind: "array", element: fromDuckDb(fields.valueType), containsNull: true };
  }
  if (fields.width !== undefined && fields.scale !== undefined) {
    return { kind: "decimal", precision: fields.width, scale: fields.scale };
  }
  const name = duckDbNames[text];
  if (!name) throw unsupported(`results of DuckDB's type ${text}`);
  return primitive(name);
}

const duckDbNames: Readonly<Record<string, PrimitiveName>> = {
  VARCHAR: "string",
  UUID: "string",
  JSON: "variant",
  // A NULL without a type. Databricks has VOID; tables can't hold it.
  '"NULL"': "string",
  NULL: "string",
  SQLNULL: "string",
  BIGINT: "long",
  // What SUM over integers gives; Databricks gives BIGINT.
  HUGEINT: "long",
  UBIGINT: "long",
  UINTEGER: "long",
  INTEGER: "integer",
  SMALLINT: "short",
  TINYINT: "byte",
  FLOAT: "float",
  DOUBLE: "double",
  BOOLEAN: "boolean",
  BLOB: "binary",
  DATE: "date",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
};

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`no item ${index} of ${list.length}`);
  return item;
}

/** The schema as a Delta log writes it. */
export function toDelta(type: DataType): unknown {
  switch (type.kind) {
    case "primitive":
      return type.name;
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "array":
      return {
        type: "array",
        elementType: toDelta(type.element),
        containsNull: type.containsNull,
      };
    case "map":
      return {
        type: "map",
        keyType: toDelta(type.key),
        valueType: toDelta(type.value),
        valueContainsNull: type.valueContainsNull,
      };
    case "struct":
      return {
        type: "struct",
        fields: type.fields.map(({ name, type: fieldType, nullable, metadata }) => ({
          name,
          type: toDelta(fieldType),
          nullable,
          metadata,
        })),
      };
  }
}

/** Reads a schema that anybody wrote. @throws SqlError for a type that is not here. */
export function fromDelta(written: unknown): DataType {
  if (typeof written === "string") {
    if (written in primitives) return primitive(written as PrimitiveName);
    const [, precision, scale] = /^decimal\((\d+),\s*(\d+)\)$/.exec(written) ?? [];
    if (precision && scale) {
      return { kind: "decimal", precision: Number(precision), scale: Number(scale) };
    }
    throw unsupported(`columns of the Delta type ${written}`);
  }
  const nested = written as Readonly<Record<string, unknown>>;
  switch (nested.type) {
    case "array":
      return {
        kind: "array",
        element: fromDelta(nested.elementType),
        containsNull: nested.containsNull !== false,
      };
    case "map":
      return {
        kind: "map",
        key: fromDelta(nested.keyType),
        value: fromDelta(nested.valueType),
        valueContainsNull: nested.valueContainsNull !== false,
      };
    case "struct":
      return { kind: "struct", fields: columnsFromDelta(nested) };
    default:
      throw unsupported(`columns of the Delta type ${JSON.stringify(nested.type)}`);
  }
}

export function columnsFromDelta(schema: unknown): Column[] {
  const fields = (schema as { readonly fields?: unknown }).fields;
  if (!Array.isArray(fields)) throw unsupported("a table whose schema has no fields");
  return fields.map((field: Readonly<Record<string, unknown>>) => ({
    name: String(field.name),
    type: fromDelta(field.type),
    nullable: field.nullable !== false,
    metadata: (field.metadata ?? {}) as Readonly<Record<string, unknown>>,
  }));
}
