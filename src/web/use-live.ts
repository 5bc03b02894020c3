/**
 * Asks the API every two seconds and keeps what it said. An answer that takes too
 * long counts as none, so a monitor that hangs shows as one that is gone.
 */
import { useEffect, useState } from "preact/hooks";
import { answered, failed, type Live, nothingYet, turnedTo } from "./live.ts";

const POLL_EVERY_MS = 2000;
const ANSWER_TIMEOUT_MS = 8000;

export function useLive<Data>(path: string): Live<Data> {
  const [live, setLive] = useState(() => nothingYet<Data>(path));

  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;

    async function ask(): Promise<void> {
      const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
      const next = await askOnce<Data>(path, signal);
      if (leaving.signal.aborted) return;
      setLive((before) => next(turnedTo(before, path)));
      timer = setTimeout(() => void ask(), POLL_EVERY_MS);
    }

    void ask();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [path]);

  return turnedTo(live, path);
}

async function askOnce<Data>(
  path: string,
  signal: AbortSignal,
): Promise<(before: Live<Data>) => Live<Data>> {
  try {
    const answer = await fetch(path, { signal, headers: { accept: "application/json" } });
    if (answer.status === 404) {
      return (before) => failed(before, { kind: "not found", nowMs: Date.now() });
    }
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}`);
    // The server is compiled against the same types, see api.ts.
    const data = (await answer.json()) as Data;
    return () => answered(path, data, Date.now());
  } catch {
    return (before) => failed(before, { kind: "no answer", nowMs: Date.now() });
  }
}
