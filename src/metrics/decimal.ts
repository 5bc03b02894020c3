/**
 * Writes a double as 17 digits, without making a string of it: 30 ns, where `String` and
 * copying it take 150. Seventeen digits are always enough to read the same double again;
 * `String` finds the fewest that are.
 */
const ZERO = 48;
const POINT = 46;

const DIGITS = 17;
/** All digits, and the point. */
export const DECIMAL_CHARS = DIGITS + 1;

/** Digits of the fraction that are found at a time: products stay exact below 2^53. */
const GROUP_DIGITS = 7;
const GROUP = 10 ** GROUP_DIGITS;
const HALF_BITS = 2 ** 26;
const ALL_BITS = 2 ** 52;

/**
 * Writes the number so that it ends before `end`. Whole numbers, those below 1 or of 16
 * digits before the point, and those that may be said in fewer digits are left to `String`.
 *
 * @returns whether it was written.
 */
export function writeDecimal(bytes: Uint8Array, end: number, value: number): boolean {
  // Also false for what is not a number.
  if (!(value >= 1 && value < 1e15)) return false;
  const whole = Math.floor(value);
  let wholeDigits = 1;
  for (let power = 10; whole >= power; power *= 10) wholeDigits++;
  const fractionDigits = DIGITS - wholeDigits;

  // A fraction of a double above 1 has at most 52 bits: two halves of 26, so that each times
  // ten million is exact.
  let bits = (value - whole) * ALL_BITS;
  if (bits === 0) return false;
  let digitsLeft = fractionDigits;
  let at = end - fractionDigits;
  let last = 0;
  while (digitsLeft > 0) {
    const digits = Math.min(GROUP_DIGITS, digitsLeft);
    const scale = digits === GROUP_DIGITS ? GROUP : 10 ** digits;
    const high = Math.floor(bits / HALF_BITS);
    const low = bits - high * HALF_BITS;
    const scaledHigh = high * scale;
    const carried = Math.floor(scaledHigh / HALF_BITS);
    const rest = (scaledHigh - carried * HALF_BITS) * HALF_BITS + low * scale;
    const more = Math.floor(rest / ALL_BITS);
    bits = rest - more * ALL_BITS;
    last = carried + more;
    writeDigits(bytes, at, digits, last);
    at += digits;
    digitsLeft -= digits;
  }
  // The last digits look like those of a number that fewer digits say.
  const lastTwo = (bytes[end - 2] ?? 0) * 10 + (bytes[end - 1] ?? 0) - ZERO * 11;
  if (lastTwo < 5 || lastTwo > 95) return false;
  if (bits >= ALL_BITS / 2) roundUp(bytes, end - 1);
  bytes[end - fractionDigits - 1] = POINT;
  writeDigits(bytes, end - DECIMAL_CHARS, wholeDigits, whole);
  return true;
}

function writeDigits(bytes: Uint8Array, from: number, digits: number, value: number): void {
  let rest = value;
  for (let at = from + digits - 1; at >= from; at--) {
    const tenth = Math.floor(rest / 10);
    bytes[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
}

/** The last two digits are below 96, so it goes no further than one of them. */
function roundUp(bytes: Uint8Array, at: number): void {
  const digit = (bytes[at] ?? 0) + 1;
  if (digit <= ZERO + 9) {
    bytes[at] = digit;
    return;
  }
  bytes[at] = ZERO;
  bytes[at - 1] = (bytes[at - 1] ?? 0) + 1;
}
