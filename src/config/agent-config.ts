/**
 * Reads `agent.yaml`: text in, a frozen value or every mistake with its line out. The
 * environment that is asked for is put over the rest; the others are checked too, so
 * that a mistake in `prod` is found while `dev` is deployed.
 */
import { MonitorError } from "../monitor-error.ts";
import { type AgentYaml, agentFileSchema, agentSchema } from "./agent-schema.ts";
import { type CamelKeys, camelKeys } from "./camel-keys.ts";
import { declarativeMistake } from "./declarative.ts";
import { isMap, merge, withoutNulls } from "./merge.ts";
import { DOCS, type Mistake, mistakesIn } from "./mistakes.ts";
import { nearest } from "./nearest.ts";
import { type Path, readYaml, type YamlSource } from "./yaml-source.ts";

export type AgentConfig = CamelKeys<AgentYaml> & {
  /** The environment that was put over the rest; `null` without one. */
  readonly environment: string | null;
  /** The file that it was read from; paths in it start from its folder. */
  readonly file: string;
};

export type ReadAgentOptions = {
  readonly file: string;
  /** One of those under `environments:`. */
  readonly environment?: string | undefined;
};

/** Longest file, in characters. */
const FILE_MAX_CHARS = 1_048_576;
/** More mistakes than that are the fault of one of the first. */
const MISTAKES_MAX = 20;
const USER_MAPS = ["environment_vars"];

/** @throws MonitorError `CONFIG_INVALID`, with the line of each mistake. */
export function readAgentConfig(
  text: string,
  { file, environment }: ReadAgentOptions,
): AgentConfig {
  if (text.length > FILE_MAX_CHARS) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `${file} is longer than ${FILE_MAX_CHARS} characters`,
      {
        hint: "Check that this is the agent's agent.yaml.",
      },
    );
  }
  const source = readYaml(text);
  if ("length" in source) {
    throw invalid(
      file,
      source.map(({ place, message }) => ({
        at: `${place.line}:${place.column}`,
        what: `this is not YAML: ${message}`,
        hint: "Check the indentation and the quotes of this line.",
      })),
    );
  }
  const declarative = declarativeMistake(source.value);
  if (declarative) throw invalid(file, [located(declarative, source, [[]])]);

  const whole = withoutNulls(source.value);
  const told = mistakesIn(agentFileSchema, whole).filter(
    // Whether something is missing is known once the environment has been put over it.
    ({ path, isMissing }) => environment === undefined || !isMissing || path.length < 2,
  );
  const mistakes = told.map((mistake) => located(mistake, source, [[]]));
  const agent = isMap(source.value) ? source.value.agent : undefined;
  const { environments: given = {}, ...base } = isMap(agent) ? agent : {};
  const environments = isMap(given) ? given : {};
  if (environment !== undefined && !Object.hasOwn(environments, environment)) {
    throw unknownEnvironment(file, environment, Object.keys(environments), source);
  }
  for (const [name, over] of Object.entries(environments)) {
    if (over !== null && !isMap(over)) continue; // told already
    const merged = withoutNulls(merge(base, over ?? {}));
    for (const mistake of mistakesIn(agentSchema, merged)) {
      // Another environment need not be complete yet.
      if (mistake.isMissing && name !== environment) continue;
      mistakes.push(
        located(mistake, source, [["agent", "environments", name], ["agent"]], ["agent"]),
      );
    }
  }
  const unique = [...new Map(mistakes.map((one) => [`${one.at} ${one.what}`, one])).values()];
  if (unique.length > 0) throw invalid(file, unique);

  const over = environment === undefined ? {} : environments[environment];
  const checked = agentSchema.parse(withoutNulls(merge(base, over ?? {})));
  return Object.freeze({
    ...camelKeys(checked, USER_MAPS),
    environment: environment ?? null,
    file,
  });
}

type Located = { readonly at: string; readonly what: string; readonly hint: string };

/**
 * Where it stands: the first of the roots under which there is such a key, else the
 * nearest map around it.
 */
function located(
  { path, what, hint }: Mistake,
  source: YamlSource,
  roots: readonly Path[],
  prefix: Path = [],
): Located {
  const name = prefix.length > 0 ? `${prefix.join(".")}.${what}` : what;
  for (let length = path.length; length >= 0; length--) {
    for (const root of roots) {
      // The key of an environment alone is not where something is missing for all.
      if (length === 0 && root !== roots.at(-1)) continue;
      const place = source.placeOf([...root, ...path.slice(0, length)]);
      if (place) return { at: `${place.line}:${place.column}`, what: name, hint };
    }
  }
  return { at: "1:1", what: name, hint };
}

function invalid(file: string, all: readonly Located[]): MonitorError {
  const [first, ...others] = all;
  if (!first) throw new Error("there is a mistake");
  if (others.length === 0) {
    return new MonitorError("CONFIG_INVALID", `${file}:${first.at}: ${first.what}`, {
      hint: first.hint,
    });
  }
  const lines = all
    .slice(0, MISTAKES_MAX)
    .map(({ at, what, hint }) => `\n  ${file}:${at}: ${what}${hint === DOCS ? "" : ` (${hint})`}`);
  const more = all.length > MISTAKES_MAX ? `\n  … and ${all.length - MISTAKES_MAX} more` : "";
  return new MonitorError(
    "CONFIG_INVALID",
    `${file} has ${all.length} mistakes${lines.join("")}${more}`,
    { hint: DOCS },
  );
}

function unknownEnvironment(
  file: string,
  environment: string,
  known: readonly string[],
  source: YamlSource,
): MonitorError {
  const place = source.placeOf(["agent", "environments"]) ?? source.placeOf(["agent"]);
  const at = place ? `${place.line}:${place.column}` : "1:1";
  const meant = nearest(environment, known);
  return new MonitorError(
    "CONFIG_INVALID",
    `${file}:${at}: there is no environment "${environment}"`,
    {
      hint:
        known.length === 0
          ? `Add environments: { ${environment}: {} } under agent, or name no environment.`
          : `${meant === null ? "" : `Did you mean ${meant}? `}Known are ${known.join(", ")}.`,
    },
  );
}
