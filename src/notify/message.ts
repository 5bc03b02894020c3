/**
 * What is told about one alert, before any channel gives it a form. Channels
 * escape; a message holds plain text in which backquotes set code.
 */
export type Message = {
  /** The same message has the same id, also when it is sent again. */
  readonly id: string;
  /** `fired and resolved`: both happened before either could be sent. */
  readonly state: "firing" | "resolved" | "fired and resolved";
  /** `null`: it is about the workspace. */
  readonly endpoint: string | null;
  readonly ruleId: string;
  readonly timeMs: number;
  /** Such as `support-agent is slow`. */
  readonly headline: string;
  /** Empty where the headline says it all. */
  readonly detail: string;
  /** The page that shows it; `null` where there is none. */
  readonly pageUrl: string | null;
};
