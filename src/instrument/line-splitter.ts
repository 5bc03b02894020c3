/**
 * Cuts text that arrives in pieces into lines, wherever the pieces end: LF, CR
 * and CRLF, as server-sent events have them. A line over the limit is skipped
 * and counted, so that nothing grows without bound.
 */

/** Longest line that is read, in UTF-16 units. A longer one is skipped. */
export const LINE_CHARS_MAX = 256 * 1024;

export type LineSplitter = {
  push(text: string): void;
  /** Takes what is left as the last line. */
  end(): void;
  readonly skippedLines: number;
};

export function createLineSplitter(onLine: (line: string) => void): LineSplitter {
  let partial = "";
  let tooLong = false;
  let afterCarriageReturn = false;
  let skippedLines = 0;

  function append(piece: string): void {
    if (tooLong) return;
    if (partial.length + piece.length > LINE_CHARS_MAX) {
      tooLong = true;
      partial = "";
      skippedLines++;
      return;
    }
    partial += piece;
  }

  function finishLine(): void {
    const line = partial;
    const wasTooLong = tooLong;
    partial = "";
    tooLong = false;
    if (!wasTooLong) onLine(line);
  }

  return {
    push(text) {
      const lineEnd = /[\r\n]/g;
      let start = 0;
      if (afterCarriageReturn && text.length > 0) {
        afterCarriageReturn = false;
        if (text.startsWith("\n")) start = 1;
      }
      for (;;) {
        lineEnd.lastIndex = start;
        const found = lineEnd.exec(text);
        if (!found) break;
        append(text.slice(start, found.index));
        finishLine();
        start = found.index + 1;
        if (found[0] !== "\r") continue;
        if (start === text.length) afterCarriageReturn = true;
        else if (text[start] === "\n") start++;
      }
      if (start < text.length) append(text.slice(start));
    },
    end() {
      if (partial !== "") finishLine();
      partial = "";
      tooLong = false;
    },
    get skippedLines() {
      return skippedLines;
    },
  };
}
