/**
 * What the sentence says once the monitor has stopped answering: first that nothing
 * is known any more, then what was known. A page that goes on calling everything
 * healthy would be believed.
 */
import type { Sentence } from "../api.ts";
import { formatClockSeconds } from "../format.ts";
import type { Live } from "../live.ts";

export function withLastKnown<Data extends { readonly sentence: Sentence }>(
  live: Live<Data>,
): Live<Data> {
  const { data, failure, answeredMs } = live;
  if (!data || failure?.kind !== "no answer" || answeredMs === null) return live;
  const { headline, detail } = data.sentence;
  const known = [endedWith(headline, detail === "" ? "." : ":"), detail].filter(Boolean).join(" ");
  const sentence: Sentence = {
    status: "unknown",
    headline: `The monitor has not answered since ${formatClockSeconds(failure.sinceMs)}.`,
    detail: `Last known, at ${formatClockSeconds(answeredMs)}: ${known}`,
  };
  return { ...live, data: { ...data, sentence } };
}

function endedWith(headline: string, end: "." | ":"): string {
  return /[.:!?]$/.test(headline) ? headline : `${headline}${end}`;
}
