/**
 * Reads a `text/event-stream` as it comes. Pure but for waiting for bytes. Other
 * lines than events are skipped, as the standard says; what is cut in the middle of
 * an event is the business of whoever brings the bytes.
 *
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

export type ServerSentEvent = {
  /** `message` where the server names none. */
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
};

/** Longest event. An agent's whole answer, which the last event may repeat, is at most 4 MiB. */
export const EVENT_MAX_CHARS = 8 * 1024 * 1024;

/** @throws what `tooLong` returns, once an event is longer than `EVENT_MAX_CHARS`. */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
  { tooLong }: { readonly tooLong: () => Error },
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const decoder = new TextDecoder();
  const event = createEvent();
  let rest: string[] = [];
  let restChars = 0;

  function* take(text: string, { isLast }: { readonly isLast: boolean }) {
    restChars += text.length;
    if (restChars + event.chars() > EVENT_MAX_CHARS) throw tooLong();
    rest.push(text);
    if (!isLast && !/[\r\n]/.test(text)) return;

    const all = rest.join("");
    // A carriage return at the very end may be one half of a line's end.
    const end = isLast ? all.length : all.length - (all.endsWith("\r") ? 1 : 0);
    const lines = all.slice(0, end).split(/\r\n|\r|\n/);
    const open = (isLast ? "" : (lines.pop() ?? "")) + all.slice(end);
    rest = [open];
    restChars = open.length;
    for (const line of lines) {
      const whole = event.add(line);
      if (whole) yield whole;
    }
  }

  for await (const chunk of chunks) yield* take(decoder.decode(chunk, { stream: true }), notLast);
  // Servers were seen to leave out the empty line behind the last event.
  yield* take(`${decoder.decode()}\n\n`, { isLast: true });
}

const notLast = { isLast: false };

/** Gathers the lines of one event; an empty line completes it. */
function createEvent() {
  let name = "";
  let data: string[] = [];
  let id: string | null = null;
  let chars = 0;
  return {
    chars: () => chars,
    add(line: string): ServerSentEvent | null {
      if (line === "") {
        const whole =
          data.length > 0 ? { event: name || "message", data: data.join("\n"), id } : null;
        name = "";
        data = [];
        chars = 0;
        return whole;
      }
      const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (field === "data") data.push(value);
      if (field === "event") name = value;
      if (field === "id" && !value.includes("\0")) id = value;
      chars += line.length;
      return null;
    },
  };
}
