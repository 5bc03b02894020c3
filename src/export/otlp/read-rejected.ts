/**
 * Reads from the answer to a push how many data points were refused while the
 * rest was taken. Whatever can't be read counts as none: the answer was 200.
 *
 * Source: opentelemetry-proto, ExportMetricsServiceResponse.
 */
const PARTIAL_SUCCESS = (1 << 3) | 2;
const REJECTED_DATA_POINTS = 1 << 3;

export function readRejected(answer: Uint8Array): number {
  const message = fieldOf(answer, PARTIAL_SUCCESS);
  if (!(message instanceof Uint8Array)) return 0;
  const rejected = fieldOf(message, REJECTED_DATA_POINTS);
  return typeof rejected === "number" && Number.isSafeInteger(rejected) ? rejected : 0;
}

/** Only varints and lengths occur before the fields that are looked for. */
function fieldOf(message: Uint8Array, wanted: number): number | Uint8Array | null {
  let at = 0;
  function varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  }
  while (at < message.length) {
    const tag = varint();
    const value = varint();
    if (Number.isNaN(tag) || Number.isNaN(value)) return null;
    if (tag % 8 === 0) {
      if (tag === wanted) return value;
    } else if (tag % 8 === 2) {
      if (tag === wanted) return message.subarray(at, at + value);
      at += value;
    } else {
      return null;
    }
  }
  return null;
}
