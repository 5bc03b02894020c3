/** The journal's own thread: a commit waits for the disk, and nothing else may wait with it. */
import { parentPort, workerData } from "node:worker_threads";
import { type JournalSettings, openJournalFile, type ToWorker } from "./journal-file.ts";

const port = parentPort;
if (!port) throw new Error("journal-worker runs as a worker thread");

// What `journal.ts` gives it.
const { file, opened } = openJournalFile(workerData as JournalSettings);
port.on("message", (message: ToWorker) => {
  const answer = file?.handle(message);
  if (answer) port.postMessage(answer);
  if (message.kind === "close") port.close();
});
port.postMessage(opened);
if (!file) port.close();
