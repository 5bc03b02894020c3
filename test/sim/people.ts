/**
 * What people do under an export to what it writes to, in the workspace or the directory, and how
 * they mend it once they were told: the ways that the messages name, and some that they don't.
 */
import { join } from "node:path";
import {
  createTableSql,
  defaultTablePlace,
  fullTableName,
  volumeOf,
} from "../../src/history/databricks-tables.ts";
import { notNull, type TableName, tableNames, tables } from "../../src/history/tables.ts";
import type { Setting } from "./faults.ts";
import { changedColumnStrike, diskStrikes, droppedStrike, goneStrike } from "./strikes.ts";
import { LAKE_PREFIX, type Way } from "./ways.ts";

const MINUTE_MS = 60_000;
const place = defaultTablePlace;
const schema = `${place.catalog}.${place.schema}`;

export function dropTable(setting: Setting): void {
  const { world, machine, model } = setting;
  const { random } = world;
  const way = random.pick(machine.ways);
  if (way === "directory") {
    if (random.next() < 0.5) unmount(setting);
    else deleteTable(setting);
    return;
  }
  const table = random.pick(tableNames);
  const name = fullTableName(place, table);
  if (!model.tables.has(name)) return;
  run(setting, `DROP TABLE ${name}`);
  machine.struckBy.push(droppedStrike(name));
  const mend = random.pick(["undrop", "recreate", "by hand"] as const);
  setting.lasts(mendedAfterMs(setting), () => {
    if (model.tables.has(name) || !model.schemas.has(schema)) return;
    if (mend === "undrop") run(setting, `UNDROP TABLE ${name}`);
    else if (mend === "by hand") run(setting, createTableSql(place, table));
    else recreate(setting, way);
  });
}

export function dropColumn(setting: Setting): void {
  const { world, model } = setting;
  const table = world.random.pick(tableNames);
  const name = fullTableName(place, table);
  const column = world.random.pick(tables[table].columns.filter((one) => !notNull.has(one.name)));
  if (!model.tables.get(name)?.columns.has(column.name)) return;
  run(setting, `ALTER TABLE ${name} DROP COLUMN ${column.name}`);
}

/** To one that rows can't go into; or without it they would be none. */
export function changeColumn(setting: Setting): void {
  const { world, machine, model, lasts } = setting;
  const { random } = world;
  const table = random.pick(tableNames);
  const name = fullTableName(place, table);
  const there = model.tables.get(name);
  const column = random.pick(tables[table].columns);
  const type = there?.columns.get(column.name);
  if (!there || type === undefined) return;
  const isRenamed = notNull.has(column.name) && random.next() < 0.5;
  const other = type === "STRING" ? "BIGINT" : "STRING";
  const [change, back] = isRenamed
    ? [`RENAME COLUMN ${column.name} TO renamed`, `RENAME COLUMN renamed TO ${column.name}`]
    : [`ALTER COLUMN ${column.name} TYPE ${other}`, `ALTER COLUMN ${column.name} TYPE ${type}`];
  run(setting, `ALTER TABLE ${name} ${change}`);
  const told = { column: column.name, from: column.type, to: isRenamed ? null : other };
  machine.struckBy.push(changedColumnStrike(name, told));
  const isMovedAway = random.next() < 0.3;
  lasts(mendedAfterMs(setting), () => {
    if (model.tables.get(name) !== there) return;
    if (isMovedAway) {
      run(setting, `ALTER TABLE ${name} RENAME TO ${name}_before_${Math.round(world.nowMs())}`);
      machine.struckBy.push(droppedStrike(name));
      recreate(setting, random.pick(machine.ways.filter((way) => way !== "directory")));
    } else {
      run(setting, `ALTER TABLE ${name} ${back}`);
    }
  });
}

export function dropSchema(setting: Setting): void {
  const { world, machine, model, lasts } = setting;
  const ways = machine.ways.filter((way) => way !== "directory");
  if (ways.length === 0 || !model.schemas.has(schema)) return;
  const names = [...model.tables.keys()];
  run(setting, `DROP SCHEMA ${schema} CASCADE`);
  machine.struckBy.push(...names.map(droppedStrike));
  const isUndropped = world.random.next() < 0.5;
  lasts(mendedAfterMs(setting), () => {
    if (!isUndropped) {
      recreate(setting, world.random.pick(ways));
      return;
    }
    run(setting, `CREATE SCHEMA IF NOT EXISTS ${schema}`);
    for (const name of names) {
      if (model.dropped.has(name) && !model.tables.has(name)) run(setting, `UNDROP TABLE ${name}`);
    }
  });
}

export function dropVolume(setting: Setting): void {
  const name = volumeOf(place).fullName;
  if (setting.model.volumes.has(name)) run(setting, `DROP VOLUME ${name}`);
}

function unmount({ world, machine, lasts }: Setting): void {
  const { lake, lakeDirectory } = machine;
  world.note("people", "unmount the directory");
  lake.isMounted = false;
  machine.struckBy.push(goneStrike(lakeDirectory), ...Object.values(diskStrikes));
  lasts(mendedAfterMs({ world }), () => {
    lake.isMounted = true;
    world.note("people", "mount the directory");
  });
}

function deleteTable(setting: Setting): void {
  const { world, machine, lasts } = setting;
  const table = world.random.pick<TableName>(tableNames);
  const home = join(machine.lakeDirectory, `${LAKE_PREFIX}_${table}`);
  if (!machine.lake.isMounted || !machine.lake.removeDirectory(home)) return;
  world.note("people", `rm -r ${LAKE_PREFIX}_${table}`);
  machine.struckBy.push(goneStrike(home));
  lasts(mendedAfterMs(setting), () => recreate(setting, "directory"));
}

function recreate({ world, machine }: Setting, way: Way): void {
  world.note("people", "export --recreate");
  void machine.startExport({ way, recreate: true });
}

function run({ world, model }: Setting, sql: string): void {
  world.note("people", sql.split("\n")[0] ?? "");
  void model.run(sql);
}

/** People look at a message when they do. */
function mendedAfterMs({ world }: Pick<Setting, "world">): number {
  return world.random.between(MINUTE_MS, 25 * MINUTE_MS);
}
