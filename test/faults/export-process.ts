/** A process that exports: `node export-process.ts HISTORY OUT LOCK_WAIT_MS [hold]`. */
import { systemClock } from "../../src/clock.ts";
import { exportHistory } from "../../src/export/delta/export-history.ts";
import { exportLock } from "../../src/history/export-lock.ts";
import { diskFiles } from "../../src/history/files.ts";
import { MonitorError } from "../../src/monitor-error.ts";

const [history = "", out = "", lockWaitMs = "0", hold] = process.argv.slice(2);
try {
  if (hold === "hold") {
    const at = { directory: history, files: diskFiles };
    await exportLock(at, { clock: systemClock, waitMs: 0, onWait: () => {} });
    process.stdout.write("held\n");
    // Until it is killed.
    setInterval(() => {}, 60_000);
  } else {
    const target = { directory: out, prefix: "agents" };
    const { rows } = await exportHistory(history, target, { lockWaitMs: Number(lockWaitMs) });
    process.stdout.write(`${rows} rows\n`);
  }
} catch (error) {
  if (!(error instanceof MonitorError)) throw error;
  process.stdout.write(`${error.code} ${error.message}\n`);
}
