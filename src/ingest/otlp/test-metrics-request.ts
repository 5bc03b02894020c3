/**
 * For tests: encodes a metrics request, written as OTLP JSON, to protobuf, by a
 * table of the published field numbers.
 */
export type Json = { readonly [key: string]: unknown };

type Type = "text" | "fixed64" | "sfixed64" | "double" | "varint" | "zigzag" | "hex" | Message;
type Message = { readonly [field: string]: readonly [number: number, type: Type] };

const anyValue: Message = {
  stringValue: [1, "text"],
  boolValue: [2, "varint"],
  intValue: [3, "varint"],
  doubleValue: [4, "double"],
};
const keyValue: Message = { key: [1, "text"], value: [2, anyValue] };
const exemplar: Message = {
  filteredAttributes: [7, keyValue],
  timeUnixNano: [2, "fixed64"],
  asDouble: [3, "double"],
  spanId: [4, "hex"],
  traceId: [5, "hex"],
};
const times: Message = { startTimeUnixNano: [2, "fixed64"], timeUnixNano: [3, "fixed64"] };
const numberPoint: Message = {
  ...times,
  attributes: [7, keyValue],
  asDouble: [4, "double"],
  asInt: [6, "sfixed64"],
  exemplars: [5, exemplar],
  flags: [8, "varint"],
};
const histogramPoint: Message = {
  ...times,
  attributes: [9, keyValue],
  count: [4, "fixed64"],
  sum: [5, "double"],
  bucketCounts: [6, "fixed64"],
  explicitBounds: [7, "double"],
  exemplars: [8, exemplar],
  flags: [10, "varint"],
  min: [11, "double"],
  max: [12, "double"],
};
const buckets: Message = { offset: [1, "zigzag"], bucketCounts: [2, "varint"] };
const exponentialPoint: Message = {
  ...times,
  attributes: [1, keyValue],
  count: [4, "fixed64"],
  sum: [5, "double"],
  scale: [6, "zigzag"],
  zeroCount: [7, "fixed64"],
  positive: [8, buckets],
  flags: [10, "varint"],
};
const summaryPoint: Message = {
  ...times,
  attributes: [7, keyValue],
  count: [4, "fixed64"],
  sum: [5, "double"],
  quantileValues: [6, { quantile: [1, "double"], value: [2, "double"] }],
  flags: [8, "varint"],
};
const data = (point: Message): Message => ({
  dataPoints: [1, point],
  aggregationTemporality: [2, "varint"],
  isMonotonic: [3, "varint"],
});
const request: Message = {
  resourceMetrics: [
    1,
    {
      resource: [1, { attributes: [1, keyValue] }],
      scopeMetrics: [
        2,
        {
          scope: [1, { name: [1, "text"] }],
          metrics: [
            2,
            {
              name: [1, "text"],
              description: [2, "text"],
              unit: [3, "text"],
              gauge: [5, data(numberPoint)],
              sum: [7, data(numberPoint)],
              histogram: [9, data(histogramPoint)],
              exponentialHistogram: [10, data(exponentialPoint)],
              summary: [11, data(summaryPoint)],
            },
          ],
        },
      ],
    },
  ],
};

export function encodeMetricsRequest(json: Json): Uint8Array {
  return Uint8Array.from(encode(json, request));
}

function encode(json: Json, message: Message): number[] {
  return Object.entries(json).flatMap(([name, value]) => {
    const field = message[name];
    if (!field) throw new Error(`no field ${name}`);
    return (Array.isArray(value) ? value : [value]).flatMap((item) => encodeField(field, item));
  });
}

function encodeField([number, type]: readonly [number, Type], value: unknown): number[] {
  const tag = (wire: number) => varint(BigInt(number * 8 + wire));
  switch (type) {
    case "text": {
      const bytes = [...new TextEncoder().encode(String(value))];
      return [...tag(2), ...varint(BigInt(bytes.length)), ...bytes];
    }
    case "hex": {
      const bytes = [...Buffer.from(String(value), "hex")];
      return [...tag(2), ...varint(BigInt(bytes.length)), ...bytes];
    }
    case "varint":
      return [...tag(0), ...varint(BigInt.asUintN(64, BigInt(value as number)))];
    case "zigzag": {
      const whole = BigInt(value as number);
      return [...tag(0), ...varint(BigInt.asUintN(64, (whole << 1n) ^ (whole >> 63n)))];
    }
    case "fixed64":
    case "sfixed64":
      return [
        ...tag(1),
        ...bytesOf(BigUint64Array.of(BigInt.asUintN(64, BigInt(value as string)))),
      ];
    case "double":
      return [...tag(1), ...bytesOf(Float64Array.of(Number(value)))];
    default: {
      const bytes = encode(value as Json, type);
      return [...tag(2), ...varint(BigInt(bytes.length)), ...bytes];
    }
  }
}

function bytesOf(array: BigUint64Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer);
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}
