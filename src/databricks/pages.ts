/** Reads a list that comes in pages to its end, which has to come. */
import { recordOf, textOf } from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";

/** Pages of one list. A server whose pages never end is not asked for ever. */
export const PAGES_MAX = 100;

/**
 * What the lists of Unity Catalog take as `max_results` for pages as large as the server
 * wants them. Without it some of them come whole, which Databricks discourages.
 *
 * Source: databricks-sdk-py 0.156.0, `CatalogsAPI.list`.
 */
export const PAGE_SIZE = "0";

/** Says which page is asked for, in a query or in a body: nothing for the first. */
export type Page = { readonly page_token?: string };

/**
 * All entries under the name `list`. Protobuf's JSON leaves an empty list out.
 *
 * @throws DatabricksError `DATABRICKS_FAILED` when an answer holds no such list, or
 * the pages do not end.
 */
export async function readPages(
  list: string,
  ask: (page: Page) => Promise<JsonAnswer>,
): Promise<readonly unknown[]> {
  const entries: unknown[] = [];
  let page: Page = {};
  for (let count = 1; ; count++) {
    const answer = await ask(page);
    const record = recordOf(answer.json);
    const found = record?.[list] ?? [];
    if (!record || !Array.isArray(found)) throw answer.unusable(`holds no list of ${list}`);
    entries.push(...found);
    const pageToken = textOf(record.next_page_token);
    if (pageToken === null) return entries;
    if (count === PAGES_MAX) throw answer.unusable(`has more than ${PAGES_MAX} pages`);
    page = { page_token: pageToken };
  }
}
