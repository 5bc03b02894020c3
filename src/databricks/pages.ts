/** Reads a list that comes in pages to its end, which has to come. */
import { recordOf, textOf } from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";

/** Pages of one list. A server whose pages never end is not asked for ever. */
export const PAGES_MAX = 100;

/**
 * All entries under the name `list`. Protobuf's JSON leaves an empty list out.
 *
 * @throws DatabricksError `DATABRICKS_FAILED` when an answer holds no such list, or
 * the pages do not end.
 */
export async function readPages(
  list: string,
  ask: (page: { readonly query: Readonly<Record<string, string>> }) => Promise<JsonAnswer>,
): Promise<readonly unknown[]> {
  const entries: unknown[] = [];
  let query: Readonly<Record<string, string>> = {};
  for (let page = 1; ; page++) {
    const answer = await ask({ query });
    const record = recordOf(answer.json);
    const found = record?.[list] ?? [];
    if (!record || !Array.isArray(found)) throw answer.unusable(`holds no list of ${list}`);
    entries.push(...found);
    const pageToken = textOf(record.next_page_token);
    if (pageToken === null) return entries;
    if (page === PAGES_MAX) throw answer.unusable(`has more than ${PAGES_MAX} pages`);
    query = { page_token: pageToken };
  }
}
