/** Lists in pages, as most of Databricks' lists are: a token says where the next one begins. */
import { Refusal } from "../databricks-error.ts";

export type PageRequest = {
  readonly maxResults?: number | undefined;
  readonly pageToken?: string | undefined;
  /** When the caller names no size. */
  readonly defaultResults: number;
  readonly limit: number;
};

export type Page<T> = { readonly items: readonly T[]; readonly nextPageToken: string | undefined };

export function pageOf<T>(all: readonly T[], request: PageRequest): Page<T> {
  const { maxResults = 0, pageToken = "", defaultResults, limit } = request;
  const size = Math.min(limit, maxResults > 0 ? maxResults : defaultResults);
  const start = pageToken === "" ? 0 : offsetOf(pageToken);
  const end = start + size;
  return {
    items: all.slice(start, end),
    nextPageToken:
      end < all.length ? Buffer.from(`offset:${end}`).toString("base64url") : undefined,
  };
}

function offsetOf(token: string): number {
  const [, offset] = /^offset:(\d{1,9})$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (offset === undefined) {
    throw new Refusal("INVALID_PARAMETER_VALUE", "The page token is not one of this list.");
  }
  return Number(offset);
}
