/**
 * Gives errors with the same cause the same group. Ids, numbers, addresses and
 * quoted values in a message don't make a new group; another type, place or
 * HTTP status does.
 */
import type { ErrorClass } from "./error-class.ts";
import { units, writeTemplate } from "./fingerprint-template.ts";

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
  startHash(lanes);
  hashText(lanes, endpoint);
  hashText(lanes, errorClass);
  hashText(lanes, type);
  hashText(lanes, path);
  hashTemplate(lanes, message);
  return hashHex(lanes);
}

/** The message with everything that varies from call to call taken out. */
export function template(message: string): string {
  return String.fromCharCode(...units.subarray(0, writeTemplate(message)));
}

/** Two independent hashes of 32 bits. They add up field by field, so that fields can't run together. */
export type Lanes = { low: number; high: number };

const lanes: Lanes = { low: 0, high: 0 };

export function startHash(target: Lanes): void {
  target.low = 0x811c9dc5 | 0;
  target.high = 0x2c1b3c6d | 0;
}

export function hashText(target: Lanes, text: string): void {
  let { low, high } = target;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    low ^= low >>> 15;
    high = Math.imul(high ^ unit, 0x85ebca77);
    high = (high << 13) | (high >>> 19);
  }
  endField(target, low, high, text.length);
}

/** Adds the template of a message, two characters at a time. */
export function hashTemplate(target: Lanes, message: string): void {
  const length = writeTemplate(message);
  let { low, high } = target;
  // One character beyond an odd end is read with it, so it must be always the same.
  units[length] = 0;
  for (let index = 0; index < length; index += 2) {
    const pair = (units[index] as number) | ((units[index + 1] as number) << 16);
    low = Math.imul(low ^ pair, 0x9e3779b1);
    low ^= low >>> 15;
    high = Math.imul(high ^ pair, 0x85ebca77);
    high = (high << 13) | (high >>> 19);
  }
  endField(target, low, high, length);
}

/** A field that is a number. */
export function hashNumber(target: Lanes, value: number): void {
  endField(target, target.low, target.high, value);
}

/** A field that was hashed before, on its own. */
export function hashHash(target: Lanes, { low, high }: Readonly<Lanes>): void {
  endField(target, target.low ^ low, target.high ^ high, 0);
}

function endField(target: Lanes, low: number, high: number, value: number): void {
  target.low = Math.imul(low ^ value ^ (low >>> 16), 0xc2b2ae35 | 0);
  target.high = Math.imul(high ^ ~value ^ (high >>> 13), 0x27d4eb2f);
}

/** 16 hex digits. */
export function hashHex({ low, high }: Lanes): string {
  const hex = (lane: number) => {
    const mixed = Math.imul(lane ^ (lane >>> 16), 0x7feb352d);
    return ((mixed ^ (mixed >>> 15)) >>> 0).toString(16).padStart(8, "0");
  };
  return hex(high) + hex(low);
}
