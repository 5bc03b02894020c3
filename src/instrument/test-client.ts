/** For tests: a client that asks, reads, or leaves at a moment of its choosing. */
import { request as ask } from "node:http";

export type Visit = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Leaves when the headers, or the first piece of the answer, have come; or after a while without. */
  readonly leaves?: "while waiting" | "after headers" | "by reset";
};

/** Resolves when the answer was read, or the client has left. */
export function visit(url: string, { method = "GET", headers = {}, leaves }: Visit = {}) {
  return new Promise<void>((resolve) => {
    const request = ask(url, { method, headers }, (answer) => {
      answer.on("error", () => {});
      if (leaves === "by reset") request.socket?.resetAndDestroy();
      else if (leaves === "after headers") request.destroy();
      else answer.resume();
    });
    request.on("error", () => {});
    request.on("close", resolve);
    request.end();
    if (leaves === "while waiting") setTimeout(() => request.destroy(), 30);
  });
}
