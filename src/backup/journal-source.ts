/**
 * Where a backup reads the journal: of the monitor that runs on the data directory, or, when none
 * does, of the file itself, which is then locked against one that would start meanwhile.
 */

import { type MonitorAddress, readMonitorAddress } from "../monitor-client/monitor-address.ts";
import { MonitorError } from "../monitor-error.ts";
import { type Following, openJournal } from "../store/journal.ts";
import { decodePart } from "../store/journal-part.ts";

export type JournalSource = {
  readonly isRunning: boolean;
  /** The name under which a damaged journal was set aside, when it was opened. */
  readonly quarantinedAs: string | null;
  entriesAfter(seq: number): Promise<Following>;
  close(): Promise<void>;
};

/** For one part of at most some MiB, in milliseconds. */
const TIMEOUT_MS = 60_000;

/** @throws MonitorError as `openJournal`, when somebody else has it and no monitor answers. */
export async function openJournalSource(dataDirectory: string): Promise<JournalSource> {
  const address = await readMonitorAddress(dataDirectory);
  if (address && (await isThere(address))) {
    return {
      isRunning: true,
      quarantinedAs: null,
      entriesAfter: (seq) => ask(address.url, seq),
      close: async () => {},
    };
  }
  const { journal, quarantinedAs } = await openJournal(dataDirectory);
  return {
    isRunning: false,
    quarantinedAs,
    entriesAfter: (seq) => journal.entriesAfter(seq),
    close: () => journal.close(),
  };
}

/** Another program, or another monitor, may answer at the address by now. */
async function isThere({ url, startedMs }: MonitorAddress): Promise<boolean> {
  try {
    const response = await fetch(`${url}/api/journal?after=999999999999999`, {
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok && response.headers.get("monitor-started-ms") === String(startedMs);
  } catch {
    return false;
  }
}

async function ask(url: string, seq: number): Promise<Following> {
  try {
    const response = await fetch(`${url}/api/journal?after=${seq}`, {
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return {
      entries: decodePart(new Uint8Array(await response.arrayBuffer())),
      upTo: Number(response.headers.get("journal-up-to")),
      damaged: Number(response.headers.get("journal-damaged") ?? 0),
      last: response.headers.get("journal-last") === "true",
    };
  } catch (cause) {
    throw new MonitorError("MONITOR_UNREACHABLE", `cannot read the journal of ${url}`, {
      hint: "See whether that monitor still runs, then make the backup again.",
      cause,
    });
  }
}
