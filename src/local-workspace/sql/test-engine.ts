/** An engine in a folder of its own for tests, on a clock that stands at one moment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSqlEngine, type SqlRequest } from "./engine.ts";
import type { SqlResult } from "./run.ts";
import { createTestCatalog, type TestCatalog } from "./test-catalog.ts";

export type TestEngine = {
  readonly dataDirectory: string;
  readonly catalog: TestCatalog;
  run(sql: string, options?: Partial<SqlRequest>): Promise<SqlResult>;
  /** Its rows, each as one text. */
  rows(sql: string, options?: Partial<SqlRequest>): Promise<string[]>;
  /** What it is refused with; "" when it is not. */
  refusal(sql: string, options?: Partial<SqlRequest>): Promise<string>;
  close(): Promise<void>;
};

export const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 0);

const session = {
  principal: { name: "ada@example.com", isAdmin: false },
  catalog: "main",
  schema: "default",
};

export function openTestEngine(): TestEngine {
  const dataDirectory = mkdtempSync(join(tmpdir(), "sql-engine-"));
  const catalog = createTestCatalog(dataDirectory);
  const engine = createSqlEngine({ dataDirectory, catalog: () => catalog, now: () => NOW_MS });
  const run = (sql: string, options: Partial<SqlRequest> = {}) =>
    engine.execute({ sql, session, ...options });
  return {
    dataDirectory,
    catalog,
    run,
    async rows(sql, options) {
      const result = await run(sql, options);
      return result.rows.map((row) => row.map((value) => value ?? "NULL").join(" "));
    },
    async refusal(sql, options) {
      try {
        await run(sql, options);
        return "";
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
    async close() {
      await engine.close();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
