/**
 * For tests: reads an OTLP metrics request back, knowing nothing of the encoder.
 * Insists on what it reads, so that damage fails the test.
 *
 * Source: opentelemetry-proto, metrics/v1, field numbers as published.
 */
export type ReadPoint = {
  readonly metric: string;
  readonly unit: string;
  readonly shape: "gauge" | "sum" | "histogram";
  readonly cumulative: boolean;
  readonly monotonic: boolean;
  readonly startNano: bigint;
  readonly timeNano: bigint;
  readonly labels: Record<string, string>;
  readonly value: number | null;
  readonly histogram: {
    readonly count: number;
    readonly sum: number;
    readonly min: number | null;
    readonly max: number | null;
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly exemplars: readonly { traceId: string; value: number; timeNano: bigint }[];
  } | null;
};

export function readMetrics(body: Uint8Array): {
  resource: Record<string, string>;
  points: ReadPoint[];
} {
  const [resourceMetrics] = messages(body, 1);
  if (!resourceMetrics) return { resource: {}, points: [] };
  const [resource] = messages(resourceMetrics, 1);
  return {
    resource: resource ? attributesIn(resource, 1) : {},
    points: messages(resourceMetrics, 2)
      .flatMap((scope) => messages(scope, 2))
      .flatMap(readMetric),
  };
}

const shapes = { 5: "gauge", 7: "sum", 9: "histogram" } as const;

function readMetric(metric: Uint8Array): ReadPoint[] {
  const name = textIn(metric, 1);
  const unit = textIn(metric, 3);
  return ([5, 7, 9] as const).flatMap((field) =>
    messages(metric, field).flatMap((data) =>
      messages(data, 1).map((point): ReadPoint => {
        const isHistogram = field === 9;
        return {
          metric: name,
          unit,
          shape: shapes[field],
          cumulative: only(data, 2) === 2n,
          monotonic: only(data, 3) === 1n,
          startNano: (only(point, 2) as bigint | undefined) ?? 0n,
          timeNano: (only(point, 3) as bigint | undefined) ?? 0n,
          labels: attributesIn(point, isHistogram ? 9 : 7),
          value: isHistogram ? null : doubleOf(only(point, 4)),
          histogram: isHistogram
            ? {
                count: Number(only(point, 4) ?? 0n),
                sum: doubleOf(only(point, 5)) ?? 0,
                counts: packed(point, 6).map(Number),
                bounds: packed(point, 7).map((bits) => doubleOf(bits) ?? 0),
                min: doubleOf(only(point, 11)),
                max: doubleOf(only(point, 12)),
                exemplars: messages(point, 8).map((exemplar) => ({
                  traceId: Buffer.from(messages(exemplar, 5)[0] ?? []).toString("hex"),
                  value: doubleOf(only(exemplar, 3)) ?? Number.NaN,
                  timeNano: only(exemplar, 2) as bigint,
                })),
              }
            : null,
        };
      }),
    ),
  );
}

function attributesIn(message: Uint8Array, field: number): Record<string, string> {
  return Object.fromEntries(
    messages(message, field).map((pair) => [
      textIn(pair, 1),
      textIn(messages(pair, 2)[0] ?? new Uint8Array(0), 1),
    ]),
  );
}

type Field = { readonly number: number; readonly value: bigint | Uint8Array };

function fields(message: Uint8Array): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("cut off");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    switch (tag & 7) {
      case 0:
        found.push({ number: tag >> 3, value: varint() });
        break;
      case 1: {
        const view = new DataView(message.buffer, message.byteOffset + at, 8);
        found.push({ number: tag >> 3, value: view.getBigUint64(0, true) });
        at += 8;
        break;
      }
      case 2: {
        const length = Number(varint());
        if (at + length > message.length) throw new Error("longer than what is there");
        found.push({ number: tag >> 3, value: message.subarray(at, at + length) });
        at += length;
        break;
      }
      default:
        throw new Error(`wire type ${tag & 7}`);
    }
  }
  return found;
}

function messages(message: Uint8Array, field: number): Uint8Array[] {
  return fields(message).flatMap(({ number, value }) =>
    number === field && value instanceof Uint8Array ? [value] : [],
  );
}

function only(message: Uint8Array, field: number): bigint | Uint8Array | undefined {
  const found = fields(message).filter(({ number }) => number === field);
  if (found.length > 1) throw new Error(`field ${field} is there ${found.length} times`);
  return found[0]?.value;
}

function textIn(message: Uint8Array, field: number): string {
  const value = only(message, field) ?? new Uint8Array(0);
  if (typeof value === "bigint") throw new Error(`field ${field} is no text`);
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
}

function doubleOf(bits: bigint | Uint8Array | undefined): number | null {
  if (typeof bits !== "bigint") return null;
  return new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? null;
}

function packed(message: Uint8Array, field: number): bigint[] {
  const value = messages(message, field)[0] ?? new Uint8Array(0);
  return [...new BigUint64Array(Uint8Array.from(value).buffer)];
}
