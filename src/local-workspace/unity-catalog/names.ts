/** Names in Unity Catalog: lower case, without dots, slashes and spaces, in up to three levels. */
import { Refusal } from "../databricks-error.ts";

const NAME_MAX_CHARS = 255;

/** @throws Refusal `INVALID_PARAMETER_VALUE`. */
export function nameOf(given: string): string {
  const name = given.toLowerCase();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused.
  if (name === "" || name.length > NAME_MAX_CHARS || /[./ \u0000-\u001f\u007f]/.test(name)) {
    throw new Refusal(
      "INVALID_PARAMETER_VALUE",
      `Name ${JSON.stringify(given)} is not a valid name.`,
    );
  }
  return name;
}

export type ThreeLevelName = {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  /** In lower case. */
  readonly fullName: string;
};

/** @throws Refusal unless `text` has catalog, schema and a name. */
export function threeLevelName(text: string): ThreeLevelName {
  const [catalog = "", schema = "", name = "", ...rest] = text.toLowerCase().split(".");
  if (rest.length > 0 || catalog === "" || schema === "" || name === "") {
    throw new Refusal(
      "INVALID_PARAMETER_VALUE",
      `'${text}' is not a valid name: specify all three levels, as in catalog.schema.name.`,
    );
  }
  return { catalog, schema, name, fullName: `${catalog}.${schema}.${name}` };
}
