/** Who made and last changed something, and when: the fields that most objects of Unity Catalog have. */
import type { Principal } from "../access/principals.ts";
import type { Clock } from "../clock.ts";

export type Stamps = {
  readonly created_at: number;
  readonly created_by: string;
  readonly updated_at: number;
  readonly updated_by: string;
};

export function created(principal: Pick<Principal, "name">, clock: Clock): Stamps {
  const at = Math.floor(clock.now());
  return { created_at: at, created_by: principal.name, updated_at: at, updated_by: principal.name };
}

export function updated(principal: Pick<Principal, "name">, clock: Clock) {
  return { updated_at: Math.floor(clock.now()), updated_by: principal.name };
}
