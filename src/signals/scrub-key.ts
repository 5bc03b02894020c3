/**
 * Whether the name of a field, header or variable says that its value is a
 * secret, or tells of a person. Names are compared part by part, so that
 * `input_tokens`, `author` and `pass_rate` are what they are.
 */
export type KeyMeaning =
  | "plain"
  /** Secret whatever it looks like. */
  | "password"
  | "secret"
  /** Secret, but a number is a count or a place: `token: 12`. */
  | "token"
  /** Personal data. */
  | "personal";

/** Longer names are judged by their end. */
const KEY_MAX_CHARS = 100;

/** Secret as the whole name or its last part. */
const passwords = new Set(["password", "passwd", "pwd", "passphrase", "passcode", "pass", "pw"]);
const secrets = new Set([
  ...[
    "secret",
    "secrets",
    "apikey",
    "credential",
    "credentials",
    "creds",
    "cred",
    "sas",
    "authorization",
  ],
  ...["otp", "totp", "cvv", "cvc", "privatekey", "dsn", "csrftoken", "xsrf", "csrf"],
]);
const tokens = new Set([
  ...["token", "auth", "cookie", "cookies", "session", "sessionid", "jwt", "sig"],
  ...["sid", "phpsessid", "jsessionid", "bearer", "webhook", "saml"],
]);

/** What counts or describes tokens, before the word itself. */
const tokenKinds = new Set([
  ...["max", "min", "num", "n", "count", "total", "input", "output", "prompt", "completion"],
  ...["cached", "reasoning", "per", "first", "next", "last", "page", "special", "eos", "bos"],
  ...["pad", "unk", "mask", "stop", "start", "end", "unexpected", "time", "continuation", "sync"],
  ...["cls", "sep", "image", "audio", "each", "bad", "this", "that", "no"],
]);

/** A name that ends like this holds a secret, with or without signs between its parts. */
const endings = [
  ...["password", "passwd", "passphrase", "apikey", "secretkey", "privatekey", "accesskey"],
  ...["accountkey", "signingkey", "encryptionkey", "masterkey", "subscriptionkey", "sharedkey"],
  ...["authkey", "sessionkey", "servicekey", "routingkey", "integrationkey", "licensekey"],
  ...[
    "sshkey",
    "appkey",
    "applicationkey",
    "accesskeyid",
    "clientsecret",
    "accesstoken",
    "authtoken",
    "refreshtoken",
  ],
  ...["idtoken", "sessiontoken", "bearertoken", "securitytoken", "apitoken", "usertoken"],
  ...["connectionstring", "connectsid", "sessionid", "setcookie", "authorizationcode"],
  ...["authcode", "verificationcode", "twofactor", "recoverycode", "webhookurl", "apisecret"],
];

/** `secret_value` is one, `secret_name` is not: what a secret is called is no secret. */
const passwordParts = new Set([
  ...["password", "passwd", "passphrase", "secret", "apikey", "credential", "credentials"],
]);
const describing = new Set([
  ...["name", "names", "scope", "scopes", "count", "length", "policy", "type", "types", "version"],
  ...["expired", "required", "present", "valid", "invalid", "enabled", "disabled", "set", "exists"],
  ...[
    "missing",
    "expires",
    "expiry",
    "changed",
    "at",
    "path",
    "field",
    "fields",
    "error",
    "errors",
  ],
  ...["provider", "status", "ms", "s", "seconds", "rate", "age", "manager", "method", "store"],
  ...["reset", "retries", "attempts", "limit", "reference", "ref", "id", "arn", "size", "found"],
]);

const personal = new Set([
  ...["email", "mail", "phone", "mobile", "telephone", "fax", "ssn", "iban", "birthday", "dob"],
  ...["surname", "passport", "ip", "ipaddress", "emailaddress", "phonenumber", "firstname"],
  ...["lastname", "fullname", "middlename", "maidenname", "birthdate", "dateofbirth", "taxid"],
  ...["creditcard", "cardnumber", "streetaddress", "postaladdress", "homeaddress", "zipcode"],
  ...["postcode", "postalcode", "remoteaddr", "xforwardedfor", "xrealip", "clientip", "macaddress"],
  ...["nationalid", "socialsecuritynumber", "useremail", "customeremail", "remoteip", "userip"],
]);

export function keyMeaning(key: string): KeyMeaning {
  const parts = partsOf(key.length > KEY_MAX_CHARS ? key.slice(-KEY_MAX_CHARS) : key);
  const last = parts.at(-1) ?? "";
  const before = parts.at(-2) ?? "";
  const joined = parts.join("");
  if (last === "pass") return isPass(parts) ? "password" : "plain";
  if (passwords.has(last)) return "password";
  if (secrets.has(last)) return "secret";
  if (tokens.has(last)) return tokenKinds.has(before) ? "plain" : "token";
  for (const ending of endings) {
    if (joined.endsWith(ending))
      return ending.startsWith("pass", ending.length - 8) ? "password" : "secret";
  }
  // `x-…-key` and `x-…-signature`: headers of gateways and clouds.
  if (parts[0] === "x" && (last === "key" || last === "signature")) return "secret";
  if (!describing.has(last) && parts.some((part) => passwordParts.has(part))) return "secret";
  if (personal.has(last) || personal.has(joined)) return "personal";
  return "plain";
}

/** `pass` and `db_pass`, but not `first_pass`. */
const owners = new Set([
  ...["db", "user", "smtp", "mysql", "pg", "redis", "admin", "root", "ftp", "ssh", "proxy", "http"],
  ...["mail", "api", "database", "postgres", "my", "login"],
]);
const isPass = (parts: readonly string[]) => parts.length === 1 || owners.has(parts.at(-2) ?? "");

/** `X-Api-Key`, `apiKey` and `API_KEY_2` → api, key. A version or number at the end says nothing. */
function partsOf(key: string): string[] {
  const parts = key
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== "");
  while (parts.length > 1 && /^v?\d+$/.test(parts.at(-1) ?? "")) parts.pop();
  return parts;
}
