/** A text as bytes that are kept by who made them. */
export type LentText = {
  /** Together they are the text. They stay as they are. */
  readonly parts: readonly Uint8Array[];
  /** The parts are not read any more. What is not given back is copied before it changes. */
  readonly giveBack: () => void;
};
