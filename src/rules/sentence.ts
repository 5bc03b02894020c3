/** What every view opens with and every alert carries: its parts, and how they become one text. */

export type Sentence = {
  readonly status: "healthy" | "warning" | "critical" | "unknown";
  /** Set in bold. Ends with a full stop only where it is a sentence of its own. */
  readonly headline: string;
  /** Empty where the headline says it all. */
  readonly detail: string;
};

export type DiagnoseOptions = {
  /** `14:02`, in the time zone of the reader. */
  formatTime(ms: number): string;
  readonly nowMs: number;
};

/** As one text: `support-agent is slow: p99 is …`, `All 3 agents are healthy. Quietest: …`. */
export function formatSentence({
  headline,
  detail,
}: Pick<Sentence, "headline" | "detail">): string {
  if (detail === "") return headline.endsWith(".") ? headline : `${headline}.`;
  return headline.endsWith(".") ? `${headline} ${detail}` : `${headline}: ${detail}`;
}

/** Leaves out what is empty. */
export function joinSentences(...sentences: string[]): string {
  return sentences.filter((sentence) => sentence !== "").join(" ");
}
