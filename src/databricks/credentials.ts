/**
 * Finds out which workspace is meant and how to sign in to it. Pure: the caller
 * passes the environment and the way to read a file. A profile file is read only
 * when a profile is named, because credentials that lie around must not make a
 * command do anything. What comes from two places is never mixed, so a token
 * never goes to a host that it does not belong to.
 */
import { MonitorError } from "../monitor-error.ts";
import { parseProfiles } from "./profiles.ts";
import { Secret } from "./secret.ts";

export type SignIn =
  | { readonly kind: "token"; readonly token: Secret }
  | {
      readonly kind: "client-credentials";
      readonly clientId: string;
      readonly clientSecret: Secret;
    };

export type Credentials = {
  /** The origin only, such as `https://dbc-1234.cloud.databricks.com`. */
  readonly host: string;
  readonly signIn: SignIn;
  /** `environment` or `profile NAME`, for messages. */
  readonly source: string;
};

export type CredentialsInput = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The value of `--profile`. It wins over the environment. */
  readonly profile?: string | undefined;
  /** Returns a file's text; throws an error with `code: "ENOENT"` when there is none. */
  readonly readFile: (path: string) => string;
  readonly homeDirectory: string;
};

/**
 * Returns `null` when nothing is configured: neither a host in the environment nor
 * a profile.
 *
 * @throws MonitorError `CREDENTIALS_MISSING` when a host or profile is named and
 * the rest is not to be found; `CONFIG_INVALID` when a value cannot be used.
 */
export function resolveCredentials(input: CredentialsInput): Credentials | null {
  if (input.profile) return fromProfile(input.profile, input);

  const { env } = input;
  const profile = env.DATABRICKS_CONFIG_PROFILE;
  const host = env.DATABRICKS_HOST;
  if (!host) return profile ? fromProfile(profile, input) : null;

  const fields = {
    host,
    token: env.DATABRICKS_TOKEN,
    clientId: env.DATABRICKS_CLIENT_ID,
    clientSecret: env.DATABRICKS_CLIENT_SECRET,
    authType: env.DATABRICKS_AUTH_TYPE,
  };
  if (profile && !fields.token && !fields.clientId) {
    const credentials = fromProfile(profile, input);
    if (credentials.host === originOf(host, "DATABRICKS_HOST")) return credentials;
    throw new MonitorError(
      "CREDENTIALS_MISSING",
      `no credentials for ${originOf(host, "DATABRICKS_HOST")}, which DATABRICKS_HOST names: the profile "${profile}" belongs to ${credentials.host}`,
      { hint: "Unset DATABRICKS_HOST to use the profile, or set DATABRICKS_TOKEN for this host." },
    );
  }
  return credentialsFrom(fields, environmentNames);
}

type Fields = {
  readonly host: string;
  readonly token: string | undefined;
  readonly clientId: string | undefined;
  readonly clientSecret: string | undefined;
  readonly authType: string | undefined;
};

/** What the fields are called where they were found, so that messages name what people can edit. */
type Names = { readonly [Field in keyof Fields]: string } & { readonly source: string };

const environmentNames: Names = {
  source: "environment",
  host: "DATABRICKS_HOST",
  token: "DATABRICKS_TOKEN",
  clientId: "DATABRICKS_CLIENT_ID",
  clientSecret: "DATABRICKS_CLIENT_SECRET",
  authType: "DATABRICKS_AUTH_TYPE",
};

function profileNames(profile: string): Names {
  const of = (key: string) => `${key} of profile "${profile}"`;
  return {
    source: `profile ${profile}`,
    host: of("host"),
    token: of("token"),
    clientId: of("client_id"),
    clientSecret: of("client_secret"),
    authType: of("auth_type"),
  };
}

function fromProfile(profile: string, { env, readFile, homeDirectory }: CredentialsInput) {
  const configured = env.DATABRICKS_CONFIG_FILE || "~/.databrickscfg";
  const path = configured.replace(/^~(?=\/)/, homeDirectory);
  const profiles = parseProfiles(readProfileFile({ path, profile, readFile }));

  const section = profiles.get(profile);
  if (!section) {
    const known = Array.from(profiles.keys(), (name) => `"${name}"`).join(", ");
    throw new MonitorError(
      "CREDENTIALS_MISSING",
      `there is no profile "${profile}" in ${path}, which has ${known || "no profiles"}`,
      { hint: "Name one of these, or create it with: databricks configure --profile NAME" },
    );
  }
  const names = profileNames(profile);
  const host = section.get("host");
  if (!host) {
    throw new MonitorError("CREDENTIALS_MISSING", `${path} has no ${names.host}`, {
      hint: "Add a line: host = https://<workspace>.cloud.databricks.com",
    });
  }
  return credentialsFrom(
    {
      host,
      token: section.get("token"),
      clientId: section.get("client_id"),
      clientSecret: section.get("client_secret"),
      authType: section.get("auth_type"),
    },
    names,
  );
}

function readProfileFile(input: {
  readonly path: string;
  readonly profile: string;
  readonly readFile: (path: string) => string;
}): string {
  try {
    return input.readFile(input.path);
  } catch (error) {
    const code = errorCodeOf(error);
    const what =
      code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? "unknown error"})`;
    throw new MonitorError(
      "CREDENTIALS_MISSING",
      `no credentials for profile "${input.profile}": ${input.path} ${what}`,
      {
        hint: "Create it with: databricks configure --profile NAME, or set DATABRICKS_HOST and DATABRICKS_TOKEN instead.",
      },
    );
  }
}

function credentialsFrom(fields: Fields, names: Names): Credentials {
  const host = originOf(fields.host, names.host);
  return { host, signIn: signInFrom(fields, { names, host }), source: names.source };
}

/** The ways to sign in, by the names that Databricks gives them in `auth_type`. */
const AUTH_TYPES = ["pat", "oauth-m2m"];

function signInFrom(
  fields: Fields,
  { names, host }: { readonly names: Names; readonly host: string },
): SignIn {
  const { token, clientId, clientSecret, authType } = fields;
  if (authType && !AUTH_TYPES.includes(authType)) {
    throw new MonitorError(
      "CREDENTIALS_MISSING",
      `no usable credentials for ${host}: ${names.authType} is ${quoteAuthType(authType)}, which is not supported here`,
      { hint: waysToSignIn(names) },
    );
  }
  if (token && clientId && !authType) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `more than one authorization method for ${host}: ${names.token} and ${names.clientId} are both set`,
      { hint: `Unset one, or choose with ${names.authType}: pat or oauth-m2m.` },
    );
  }
  if (token && authType !== "oauth-m2m") {
    return { kind: "token", token: headerSecret(token, names.token) };
  }
  if (clientId && clientSecret && authType !== "pat") {
    if (!new Secret(clientId).fitsInHeader()) throw notInHeader(names.clientId);
    const secret = headerSecret(clientSecret, names.clientSecret);
    return { kind: "client-credentials", clientId, clientSecret: secret };
  }
  throw new MonitorError(
    "CREDENTIALS_MISSING",
    clientId && authType !== "pat"
      ? `no credentials for ${host}: ${names.clientId} is set, but ${names.clientSecret} is not`
      : `no credentials for ${host}: ${names.host} is set, but ${names.token} is not`,
    { hint: waysToSignIn(names) },
  );
}

/** Quoted when it looks like a name, since a credential may stand there by mistake. */
function quoteAuthType(authType: string): string {
  return /^[a-z-]{1,30}$/.test(authType) ? `"${authType}"` : "a way to sign in";
}

function waysToSignIn(names: Names): string {
  return `Set ${names.token} to a personal access token, or ${names.clientId} and ${names.clientSecret} of a service principal.`;
}

function headerSecret(text: string, name: string): Secret {
  const secret = new Secret(text);
  if (!secret.fitsInHeader()) throw notInHeader(name);
  return secret;
}

function notInHeader(name: string): MonitorError {
  return new MonitorError(
    "CONFIG_INVALID",
    `${name} holds a space, a line break or another character that no credential has`,
    { hint: "Copy it again without line breaks or quotes around it. The value is not shown here." },
  );
}

/** The origin of a host as people write it: with or without scheme, path and query. */
function originOf(host: string, name: string): string {
  const text = host.trim();
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
  // The value is not quoted: what stands here by mistake is often a token.
  if (!url?.hostname || url.username || url.password || !/^https?:$/.test(url.protocol)) {
    throw new MonitorError("CONFIG_INVALID", `${name} is not the address of a workspace`, {
      hint: "Use the form https://<workspace>.cloud.databricks.com",
    });
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `${name} is ${url.origin}, which would send the token unencrypted`,
      { hint: "Use https. Plain http is for a workspace on this machine only." },
    );
  }
  return url.origin;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function errorCodeOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
