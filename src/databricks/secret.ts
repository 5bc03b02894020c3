/**
 * A value that must not be seen: printing, serialising or inspecting it shows a
 * mask. The only way to the text is `reveal()`, so one search finds every use.
 */
const MASK = "[REDACTED]";

export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  /**
   * Whether the text can stand in an HTTP header: visible ASCII only. Ask before
   * it gets there, because the error of Node's `Headers` prints the whole value.
   */
  fitsInHeader(): boolean {
    return /^[\x21-\x7e]+$/.test(this.#text);
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return MASK;
  }
}

/** A shorter text is no credential, and masking it would make other words unreadable. */
const SECRET_LENGTH_MIN = 4;

/** Takes the secrets out of text or JSON that came from elsewhere and may repeat them. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  const forms = secrets
    .map((secret) => secret.reveal())
    .filter((raw) => raw.length >= SECRET_LENGTH_MIN)
    .flatMap((raw) => [raw, encodeURIComponent(raw), Buffer.from(raw).toString("base64")])
    // The longest first: one secret may be the end of another.
    .sort((a, b) => b.length - a.length);
  let clean = text;
  for (const form of forms) clean = clean.replaceAll(form, MASK);
  return clean;
}
