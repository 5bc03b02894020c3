/**
 * What the workspace remembers: JSON documents by collection and key, in one SQLite
 * file, so that a restart or a SIGKILL loses nothing that was answered. Reads and
 * writes are synchronous and take microseconds.
 */
import { DatabaseSync } from "node:sqlite";

export type State = {
  /** The documents of this name; nothing has to be made first. */
  collection<T extends object>(name: string): Collection<T>;
  /** Everything that `run` writes, or nothing when it throws. */
  transaction<R>(run: () => R): R;
  close(): void;
};

export type Collection<T extends object> = {
  get(key: string): T | undefined;
  put(key: string, document: T): void;
  /** @returns whether it was there. */
  delete(key: string): boolean;
  /** In the order in which the keys were first put. */
  list(prefix?: string): T[];
  entries(prefix?: string): (readonly [key: string, document: T])[];
};

/** Greater than every character that a key holds. */
const AFTER_ALL_KEYS = "\u{10FFFF}";

/**
 * @param path a file, or `:memory:`.
 * @throws Error when another workspace holds the file, or it is no database.
 */
export function openState(path: string): State {
  const database = new DatabaseSync(path);
  try {
    // One workspace owns the file for as long as it runs; another is refused at its first statement.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = NORMAL");
    database.exec(`CREATE TABLE IF NOT EXISTS documents (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      collection TEXT NOT NULL,
      key TEXT NOT NULL,
      body TEXT NOT NULL,
      UNIQUE (collection, key)
    )`);
    database.exec("BEGIN EXCLUSIVE; COMMIT");
  } catch (error) {
    database.close();
    throw error;
  }
  const select = database.prepare("SELECT body FROM documents WHERE collection = ? AND key = ?");
  const upsert = database.prepare(
    `INSERT INTO documents (collection, key, body) VALUES (?, ?, ?)
     ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body`,
  );
  const remove = database.prepare("DELETE FROM documents WHERE collection = ? AND key = ?");
  const range = database.prepare(
    `SELECT key, body FROM documents
     WHERE collection = ? AND key >= ? AND key < ? ORDER BY id`,
  );
  let isInTransaction = false;

  return {
    collection<T extends object>(name: string): Collection<T> {
      // Only this workspace writes here, and each collection has one type.
      const parse = (body: unknown) => JSON.parse(String(body)) as T;
      const entries = (prefix = "") =>
        range
          .all(name, prefix, prefix + AFTER_ALL_KEYS)
          .map(({ key, body }) => [String(key), parse(body)] as const);
      return {
        get(key) {
          const row = select.get(name, key);
          return row && parse(row.body);
        },
        put(key, document) {
          upsert.run(name, key, JSON.stringify(document));
        },
        delete: (key) => remove.run(name, key).changes > 0,
        list: (prefix) => entries(prefix).map(([, document]) => document),
        entries,
      };
    },
    transaction(run) {
      if (isInTransaction) return run();
      database.exec("BEGIN");
      isInTransaction = true;
      try {
        const result = run();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      } finally {
        isInTransaction = false;
      }
    },
    close: () => database.close(),
  };
}
