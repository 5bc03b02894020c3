/**
 * Who the credentials belong to.
 *
 * Source: databricks-sdk-py 0.156.0, `CurrentUserAPI.me`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { flagOf, recordOf, recordsOf, textOf } from "./json-fields.ts";

export type CurrentUser = {
  readonly id: string | null;
  /** The e-mail address of a person, the application id of a service principal. */
  readonly userName: string;
  readonly displayName: string | null;
  readonly isActive: boolean | null;
  /** The names of its groups. */
  readonly groups: readonly string[];
};

export async function getCurrentUser(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<CurrentUser> {
  const answer = await client.getJson(apiPath`/api/2.0/preview/scim/v2/Me`, {
    ...limits,
    purpose: "find out whom the credentials belong to",
    permission: "Give the identity access to the workspace.",
  });
  const me = recordOf(answer.json);
  const userName = textOf(me?.userName);
  if (!me || userName === null) throw answer.unusable("names no user");
  return {
    id: textOf(me.id),
    userName,
    displayName: textOf(me.displayName),
    isActive: flagOf(me.active),
    groups: recordsOf(me.groups)
      .map((group) => textOf(group.display))
      .filter((group) => group !== null),
  };
}
