/**
 * `system.serving.endpoint_usage`: the SQL that counts requests and tokens by endpoint, day
 * and kind of caller, and what its rows say. Who asked stays in the warehouse.
 */
import type { CountedDay, RequesterKind } from "../../signals/account-day.ts";
import { dayOf, numberOf, quotedText } from "./values.ts";

export const USAGE_TABLE = "system.serving.endpoint_usage";
export const ENTITIES_TABLE = "system.serving.served_entities";

/**
 * System tables are those of all workspaces of a region: the ids say which endpoints are meant.
 * Whole days are counted, so that reading them again gives the newest count of each.
 */
export function selectCounted(endpointIds: readonly string[], fromMs: number): string {
  return `SELECT e.endpoint_id, CAST(CAST(u.request_time AS DATE) AS STRING) AS day,
  CASE WHEN u.requester IS NULL THEN 'unknown' WHEN u.requester LIKE '%@%' THEN 'user' ELSE 'service_principal' END AS requester,
  count(*) AS requests, count_if(u.status_code >= 400) AS failed,
  sum(u.input_token_count) AS input_tokens, sum(u.output_token_count) AS output_tokens
FROM ${USAGE_TABLE} AS u JOIN (
  SELECT served_entity_id, max_by(endpoint_id, change_time) AS endpoint_id
  FROM ${ENTITIES_TABLE} WHERE endpoint_id IN (${endpointIds.map(quotedText).join(", ")}) GROUP BY served_entity_id
) AS e ON e.served_entity_id = u.served_entity_id
WHERE u.request_time >= TIMESTAMP '${dayOf(fromMs)} 00:00:00'
GROUP BY ALL`;
}

const requesters: readonly RequesterKind[] = ["user", "service_principal"];

/** @param names of the endpoints by id; what is of others is left out. */
export function readCounted(
  rows: readonly (readonly (string | null)[])[],
  names: ReadonlyMap<string, string>,
): CountedDay[] {
  return rows.flatMap(([id, day, requester, requests, failed, input, output]): CountedDay[] => {
    const endpoint = names.get(id ?? "");
    if (endpoint === undefined || !day) return [];
    return [
      {
        endpoint,
        day,
        requester: requesters.find((kind) => kind === requester) ?? "unknown",
        requests: numberOf(requests) ?? 0,
        failed: numberOf(failed) ?? 0,
        inputTokens: numberOf(input),
        outputTokens: numberOf(output),
      },
    ];
  });
}
