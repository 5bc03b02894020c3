/** What `dspy-databricks local` was asked to do: its options, checked. */
import { MonitorError } from "../../monitor-error.ts";
import { parseDurationMs } from "../duration.ts";
import { parsePort } from "../parse-port.ts";

/** As commander reads them. */
export type RawOptions = {
  readonly port: string;
  readonly dataDir?: string;
  readonly token?: readonly string[];
  readonly python?: string;
  readonly for?: string;
};

export type LocalOptions = {
  readonly port: number;
  readonly dataDirectory: string | null;
  /** The admin's; `null`: one that the data directory keeps, or a random one. */
  readonly token: string | null;
  /** Tokens of others, by name. */
  readonly principals: Readonly<Record<string, string>>;
  readonly python: string | null;
  /** `null`: until it is stopped. */
  readonly forMs: number | null;
};

/** Beside the monitor's 4318. */
export const DEFAULT_PORT = "4320";

/** @throws MonitorError `USAGE_INVALID`. No message repeats a token. */
export function checkOptions(raw: RawOptions): LocalOptions {
  const tokens = (raw.token ?? []).map(readToken);
  const names = tokens.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    const whose = twice === "" ? "without a name" : `of ${twice}`;
    throw new MonitorError("USAGE_INVALID", `there is more than one --token ${whose}`, {
      hint: "Give one token without a name, the admin's, and one for each other name.",
    });
  }
  const values = tokens.map(({ value }) => value);
  if (new Set(values).size < values.length) {
    throw new MonitorError("USAGE_INVALID", "two principals have the same token", {
      hint: "Give each name a token of its own: by it a caller is known.",
    });
  }
  return {
    port: parsePort(raw.port),
    dataDirectory: raw.dataDir ?? null,
    token: tokens.find(({ name }) => name === "")?.value ?? null,
    principals: Object.fromEntries(
      tokens.filter(({ name }) => name !== "").map(({ name, value }) => [name, value]),
    ),
    python: raw.python ?? null,
    forMs: raw.for === undefined ? null : parseDurationMs("--for", raw.for),
  };
}

type Token = { readonly name: string; readonly value: string };

function readToken(text: string): Token {
  const [, name = "", value = text] = /^([\w.@+-]+)=(.*)$/.exec(text) ?? [];
  if (/^\S+$/.test(value)) return { name, value };
  throw new MonitorError("USAGE_INVALID", "a --token is empty, or holds a space", {
    hint: "Give --token TOKEN for the admin, or --token NAME=TOKEN for another principal.",
  });
}
