/**
 * Who calls: each bearer token stands for a principal, and a named principal may
 * also trade its name and token, as client id and secret, for tokens that expire.
 *
 * Source: Databricks, "Authorize service principal access with OAuth" (M2M).
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { State } from "../core/state.ts";

export type Principal = {
  /** A user's e-mail address or a service principal's application id. */
  readonly name: string;
  /** Owns the metastore and what the workspace began with, and may change all permissions. */
  readonly isAdmin: boolean;
};

export type PrincipalToken = Principal & { readonly token: string };

export type Principals = {
  /** `null` when the token is nobody's, or has expired. */
  ofToken(token: string): Principal | null;
  /** `null` when there is no such principal. */
  named(name: string): Principal | null;
  all(): readonly Principal[];
  /** A token that lasts an hour; `null` when id and secret do not fit. */
  issueToken(client: { readonly id: string; readonly secret: string }): IssuedToken | null;
  /** For what runs on behalf of a principal; lasts until it is revoked, at most as long as the workspace. */
  lend(name: string): LentToken;
};

export type LentToken = { readonly token: string; revoke(): void };

export type IssuedToken = { readonly accessToken: string; readonly expiresInS: number };

/** Group that every principal is in, under the names that Unity Catalog and workspaces give it. */
const EVERYONE = ["account users", "users"];
const ADMINS = "admins";

const TOKEN_LIFETIME_S = 3600;
const TOKEN_BYTES = 32;

export const ADMIN_NAME = "local-workspace@example.com";

/** Itself, and the groups that it is in. */
export function namesOf({ name, isAdmin }: Principal): readonly string[] {
  return isAdmin ? [name, ...EVERYONE, ADMINS] : [name, ...EVERYONE];
}

export type PrincipalsOptions = {
  readonly tokens: readonly PrincipalToken[];
  readonly state: State;
  readonly clock: Clock;
};

export function createPrincipals({ tokens, state, clock }: PrincipalsOptions): Principals {
  const issued = state.collection<{ name: string; expiresMs: number }>("oauth-tokens");
  const lent = new Map<string, string>();
  const named = (name: string) => tokens.find((each) => each.name === name) ?? null;

  return {
    ofToken(token) {
      const known = tokens.find((each) => isSame(each.token, token));
      if (known) return principalOf(known);
      const key = digest(token).toString("hex");
      const lasting = issued.get(key);
      const name = lasting && lasting.expiresMs > clock.now() ? lasting.name : lent.get(key);
      const owner = name === undefined ? null : named(name);
      return owner && principalOf(owner);
    },
    named(name) {
      const known = named(name);
      return known && principalOf(known);
    },
    all: () => tokens.map(principalOf),
    issueToken({ id, secret }) {
      const owner = named(id);
      if (!owner || !isSame(owner.token, secret)) return null;
      for (const [key, { expiresMs }] of issued.entries()) {
        if (expiresMs <= clock.now()) issued.delete(key);
      }
      const accessToken = newToken();
      issued.put(digest(accessToken).toString("hex"), {
        name: owner.name,
        expiresMs: clock.now() + TOKEN_LIFETIME_S * 1000,
      });
      return { accessToken, expiresInS: TOKEN_LIFETIME_S };
    },
    lend(name) {
      const token = newToken();
      const key = digest(token).toString("hex");
      lent.set(key, name);
      return { token, revoke: () => void lent.delete(key) };
    },
  };
}

const newToken = () => `local-${randomBytes(TOKEN_BYTES).toString("hex")}`;

const principalOf = ({ name, isAdmin }: Principal): Principal => ({ name, isAdmin });

const isSame = (one: string, other: string) => timingSafeEqual(digest(one), digest(other));

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
