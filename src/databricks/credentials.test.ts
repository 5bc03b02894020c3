/** Which workspace and sign-in are found, and what people read when none is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { MonitorError } from "../monitor-error.ts";
import { resolveCredentials } from "./credentials.ts";

const TOKEN = "dapi-6f1c9b0e-of-the-environment";
const PROFILE_TOKEN = "dapi-77aa-of-the-profile";
const FILE = `
; written by databricks configure
[DEFAULT]
host = https://default.cloud.databricks.com/

[prod.eu]
host  = prod.cloud.databricks.com/?o=123
token = ${PROFILE_TOKEN}

[app]
host = https://app.cloud.databricks.com
client_id = 1234-id
client_secret = dose-secret-of-app

[cli]
host = https://cli.cloud.databricks.com
auth_type = databricks-cli

[__settings__]
default_profile = prod.eu
`;

type Case = {
  readonly env?: Record<string, string>;
  readonly profile?: string;
  readonly files?: Record<string, string>;
};

function resolve({ env = {}, profile, files = { "/home/ada/.databrickscfg": FILE } }: Case) {
  const read: string[] = [];
  const readFile = (path: string) => {
    read.push(path);
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return text;
  };
  const input = { env, profile, readFile, homeDirectory: "/home/ada" };
  return { credentials: () => resolveCredentials(input), read };
}

/** `expected` is `host · source · sign-in`, or `null`. */
function check(input: Case, expected: string | null) {
  const credentials = resolve(input).credentials();
  if (!credentials) return assert.equal(null, expected);
  const { host, source, signIn } = credentials;
  const secret =
    signIn.kind === "token"
      ? signIn.token.reveal()
      : `${signIn.clientId}:${signIn.clientSecret.reveal()}`;
  assert.equal(`${host} · ${source} · ${secret}`, expected);
  assert.ok(
    !`${inspect(credentials, { depth: 9 })}${JSON.stringify(credentials)}`.includes(secret),
  );
}

function fails(input: Case, expected: string) {
  assert.throws(resolve(input).credentials, (error: unknown) => {
    assert.ok(error instanceof MonitorError);
    assert.equal(`${error.code}: ${error.message}\n  Hint: ${error.hint}`, expected);
    assert.doesNotMatch(inspect(error), /dapi|dose/);
    return true;
  });
}

const host = "https://dbc-1.cloud.databricks.com";
const fromEnvironment = (text: string) => ({
  env: { DATABRICKS_HOST: text, DATABRICKS_TOKEN: TOKEN },
});

test("nothing configured is nobody's fault", () => check({}, null));
test("a token alone names no workspace", () => check({ env: { DATABRICKS_TOKEN: TOKEN } }, null));
test("an empty variable is not set", () =>
  check({ env: { DATABRICKS_HOST: "", DATABRICKS_TOKEN: TOKEN } }, null));
test("without a profile named, the profile file is not even opened", () => {
  const { credentials, read } = resolve({ env: {} });
  credentials();
  assert.deepEqual(read, []);
});

for (const [written, meant] of [
  [host, host],
  ["dbc-1.cloud.databricks.com", host],
  ["https://dbc-1.cloud.databricks.com/?o=42#x", host],
  ["https://dbc-1.cloud.databricks.com/browse/folders", host],
  [" https://DBC-1.cloud.databricks.com ", host],
  ["http://127.0.0.1:8080/", "http://127.0.0.1:8080"],
  ["http://localhost:8080", "http://localhost:8080"],
  ["http://[::1]:8080", "http://[::1]:8080"],
] as const) {
  test(`the host ${JSON.stringify(written)} is ${meant}`, () =>
    check(fromEnvironment(written), `${meant} · environment · ${TOKEN}`));
}

test("a service principal signs in with id and secret", () =>
  check(
    {
      env: {
        DATABRICKS_HOST: host,
        DATABRICKS_CLIENT_ID: "id",
        DATABRICKS_CLIENT_SECRET: "dose-secret",
      },
    },
    `${host} · environment · id:dose-secret`,
  ));
test("auth_type decides between two", () =>
  check(
    {
      env: {
        DATABRICKS_HOST: host,
        DATABRICKS_TOKEN: TOKEN,
        DATABRICKS_CLIENT_ID: "id",
        DATABRICKS_CLIENT_SECRET: "dose-secret",
        DATABRICKS_AUTH_TYPE: "pat",
      },
    },
    `${host} · environment · ${TOKEN}`,
  ));
test("a profile is found by its name, dots included", () =>
  check(
    { profile: "prod.eu" },
    `https://prod.cloud.databricks.com · profile prod.eu · ${PROFILE_TOKEN}`,
  ));
test("a profile given on the command line wins over the environment as a whole", () =>
  check(
    { profile: "prod.eu", ...fromEnvironment(host) },
    `https://prod.cloud.databricks.com · profile prod.eu · ${PROFILE_TOKEN}`,
  ));
test("a profile may be named by the environment, in another file", () =>
  check(
    {
      env: { DATABRICKS_CONFIG_PROFILE: "app", DATABRICKS_CONFIG_FILE: "~/databricks/cfg" },
      files: { "/home/ada/databricks/cfg": FILE },
    },
    "https://app.cloud.databricks.com · profile app · 1234-id:dose-secret-of-app",
  ));
test("a whole environment wins over a profile that the environment names", () =>
  check(
    {
      env: {
        DATABRICKS_HOST: host,
        DATABRICKS_TOKEN: TOKEN,
        DATABRICKS_CONFIG_PROFILE: "prod.eu",
      },
    },
    `${host} · environment · ${TOKEN}`,
  ));

test("a token never goes to a host that it does not belong to", () =>
  fails(
    { env: { DATABRICKS_HOST: host, DATABRICKS_CONFIG_PROFILE: "prod.eu" } },
    `CREDENTIALS_MISSING: no credentials for ${host}, which DATABRICKS_HOST names: the profile "prod.eu" belongs to https://prod.cloud.databricks.com
  Hint: Unset DATABRICKS_HOST to use the profile, or set DATABRICKS_TOKEN for this host.`,
  ));
test("a host without a token says which variables are missing", () =>
  fails(
    { env: { DATABRICKS_HOST: host } },
    `CREDENTIALS_MISSING: no credentials for ${host}: DATABRICKS_HOST is set, but DATABRICKS_TOKEN is not
  Hint: Set DATABRICKS_TOKEN to a personal access token, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET of a service principal.`,
  ));
test("a client id without its secret says so", () =>
  fails(
    { env: { DATABRICKS_HOST: host, DATABRICKS_CLIENT_ID: "id" } },
    `CREDENTIALS_MISSING: no credentials for ${host}: DATABRICKS_CLIENT_ID is set, but DATABRICKS_CLIENT_SECRET is not
  Hint: Set DATABRICKS_TOKEN to a personal access token, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET of a service principal.`,
  ));
test("two ways to sign in are refused, as by the official tools", () =>
  fails(
    { env: { DATABRICKS_HOST: host, DATABRICKS_TOKEN: TOKEN, DATABRICKS_CLIENT_ID: "id" } },
    `CONFIG_INVALID: more than one authorization method for ${host}: DATABRICKS_TOKEN and DATABRICKS_CLIENT_ID are both set
  Hint: Unset one, or choose with DATABRICKS_AUTH_TYPE: pat or oauth-m2m.`,
  ));
test("a profile that is missing says which file was read and what it has", () =>
  fails(
    { profile: "prod" },
    `CREDENTIALS_MISSING: there is no profile "prod" in /home/ada/.databrickscfg, which has "DEFAULT", "prod.eu", "app", "cli"
  Hint: Name one of these, or create it with: databricks configure --profile NAME`,
  ));
test("a profile file that is missing says where it was looked for", () =>
  fails(
    { profile: "prod", files: {} },
    `CREDENTIALS_MISSING: no credentials for profile "prod": /home/ada/.databrickscfg does not exist
  Hint: Create it with: databricks configure --profile NAME, or set DATABRICKS_HOST and DATABRICKS_TOKEN instead.`,
  ));
test("DEFAULT lends its host to no other profile", () =>
  fails(
    {
      profile: "x",
      files: { "/home/ada/.databrickscfg": `[DEFAULT]\nhost=${host}\n[x]\ntoken=dapi1` },
    },
    `CREDENTIALS_MISSING: /home/ada/.databrickscfg has no host of profile "x"
  Hint: Add a line: host = https://<workspace>.cloud.databricks.com`,
  ));
test("a way to sign in that is not supported is named", () =>
  fails(
    { profile: "cli" },
    `CREDENTIALS_MISSING: no usable credentials for https://cli.cloud.databricks.com: auth_type of profile "cli" is "databricks-cli", which is not supported here
  Hint: Set token of profile "cli" to a personal access token, or client_id of profile "cli" and client_secret of profile "cli" of a service principal.`,
  ));
test("plain http is for this machine only", () =>
  fails(
    fromEnvironment("http://dbc-1.cloud.databricks.com"),
    `CONFIG_INVALID: DATABRICKS_HOST is http://dbc-1.cloud.databricks.com, which would send the token unencrypted
  Hint: Use https. Plain http is for a workspace on this machine only.`,
  ));

const noAddress = `CONFIG_INVALID: DATABRICKS_HOST is not the address of a workspace
  Hint: Use the form https://<workspace>.cloud.databricks.com`;
for (const written of [
  "https://user:dapi-secret@dbc-1.cloud.databricks.com",
  "ftp://dbc-1.cloud.databricks.com",
  "https://",
  "not a host dapi-secret",
]) {
  test(`the host ${JSON.stringify(written)} is refused without being repeated`, () =>
    fails(fromEnvironment(written), noAddress));
}

for (const token of ["dapi-a\nb", "dapi-a\r\n", " dapi-a", "dapi-a b", "dapi-\u0000", "dapi-ü"]) {
  test(`the token ${JSON.stringify(token)} is refused before it reaches a header`, () =>
    fails(
      { env: { DATABRICKS_HOST: host, DATABRICKS_TOKEN: token } },
      `CONFIG_INVALID: DATABRICKS_TOKEN holds a space, a line break or another character that no credential has
  Hint: Copy it again without line breaks or quotes around it. The value is not shown here.`,
    ));
}
