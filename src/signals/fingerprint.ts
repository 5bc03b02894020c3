/**
 * Gives errors with the same cause the same group. Ids, numbers, addresses and
 * quoted values in a message don't make a new group; another type, place or
 * HTTP status does.
 */
import type { ErrorClass } from "./error-class.ts";

export type Failure = {
  readonly endpoint: string;
  readonly type: string;
  readonly errorClass: ErrorClass;
  readonly path: string;
  /** Scrubbed. */
  readonly message: string;
};

/** 16 hex digits. */
export function fingerprint({ endpoint, type, errorClass, path, message }: Failure): string {
  return hash([endpoint, errorClass, type, path, template(message)].join("\u0000"));
}

/** The message with everything that varies from call to call taken out. */
export function template(message: string): string {
  return message
    .replace(/"[^"\n]{0,500}"|'[^'\n]{0,500}'/g, "‹text›")
    .replace(/\bhttps?:\/\/[^\s)>\]]{1,500}/g, "‹url›")
    .replace(/(?<![\w/])(?:\/[\w.@-]{1,100}){2,30}/g, "‹path›")
    .replace(/\b(?:status(?: code)?|HTTP|code)[ :=]{1,3}([1-5]\d\d)\b/gi, "status ‹$1›")
    .replace(/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, "‹id›")
    .replace(/\b(?:0x)?(?=[0-9a-f]{0,63}\d)[0-9a-f]{8,64}\b/gi, "‹id›")
    .replace(/\b[A-Za-z]{1,10}[-_#]\d[\w-]{0,40}\b/g, "‹id›")
    .replace(/(?<![‹\w])\d[\d.,:]{0,30}(?![\w›])/g, "‹n›")
    .slice(0, 300);
}

/** FNV-1a over UTF-16 code units in two independent 32-bit lanes. */
function hash(text: string): string {
  let low = 0x811c9dc5;
  let high = 0xcbf29ce4;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x01000197);
  }
  const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, "0");
  return hex(high) + hex(low);
}
