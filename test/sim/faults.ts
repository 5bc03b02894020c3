/** Everything that goes wrong: what it is, how it is brought about, and how it passes. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { tableNames } from "../../src/history/tables.ts";
import type { Random } from "../kill/random.ts";
import type { SimDisk } from "./disk.ts";
import type { Machine } from "./machine.ts";
import { type SimNetwork, steps, troubles } from "./network.ts";
import { changeColumn, dropColumn, dropSchema, dropTable, dropVolume } from "./people.ts";
import { clockStrikes, damageStrikes } from "./strikes.ts";
import type { WorkspaceModel } from "./workspace-model.ts";
import type { Privilege } from "./workspace-sql.ts";
import type { World } from "./world.ts";

export type Setting = {
  readonly world: World;
  readonly machine: Machine;
  readonly network: SimNetwork;
  readonly model: WorkspaceModel;
  /** Passes after a while, or when all is to be well. */
  readonly lasts: (forMs: number, mend: () => void) => void;
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** By name; how often each comes stands beside it. */
export const faults: Readonly<
  Record<string, { readonly weight: number; readonly inject: (setting: Setting) => void }>
> = {
  "kill the monitor": {
    weight: 4,
    inject: ({ world, machine }) => machine.monitorProcess?.dieBefore(world.random.between(0, 30)),
  },
  "kill the history": {
    weight: 4,
    inject: ({ world, machine }) => machine.historyProcess?.dieBefore(world.random.between(0, 120)),
  },
  "kill an export": {
    weight: 4,
    inject: ({ world, machine }) => {
      const { between, next } = world.random;
      void machine.startExport();
      for (const process of machine.exporters) {
        if (next() < 0.5) process.dieBefore(between(0, 80));
        else world.after(between(0, 20_000), () => process.kill("SIGKILL while it waits"));
        // As somebody does who sees it fail.
        process.onDeath(() => world.after(between(0, 20_000), () => void machine.startExport()));
      }
    },
  },
  "power cut": {
    weight: 2,
    inject: (setting) => cutPower(setting, "power cut"),
  },
  "power cut at a step": {
    weight: 4,
    inject: (setting) => {
      const { world, machine } = setting;
      const running = [machine.historyProcess, machine.historyProcess, machine.monitorProcess];
      const process = world.random.pick([...running, ...machine.exporters]);
      process?.dieBefore(world.random.between(0, 80), (_, what) =>
        cutPower(setting, `power cut before ${what}`),
      );
    },
  },
  "disk full": {
    weight: 3,
    inject: ({ world, machine, lasts }) => {
      const disk = diskOf(machine, world);
      disk.fullCode = "ENOSPC";
      lasts(world.random.between(1_000, 5 * MINUTE_MS), () => {
        disk.fullCode = null;
        world.note("disk", "has room again");
      });
    },
  },
  "an operation of the disk fails": {
    weight: 4,
    inject: ({ world, machine }) => diskOf(machine, world).failIn(world.random.between(1, 60)),
  },
  "trouble on the network": {
    weight: 6,
    inject: ({ world, network, lasts }) => {
      const kind = world.random.pick(troubles);
      network.trouble = { kind, share: world.random.pick([0.1, 0.5, 1]) };
      world.note("network", `begins: ${kind}`);
      lasts(world.random.between(1_000, 4 * MINUTE_MS), () => {
        network.trouble = null;
      });
    },
  },
  "the answer to a load is lost": {
    weight: 4,
    inject: ({ world, machine, network }) => {
      const kind = world.random.pick(["reset before", "reset after"] as const);
      const step = machine.ways.includes("merge") ? "merging" : "loading";
      network.next = { step, kind };
    },
  },
  "a request goes wrong": {
    weight: 6,
    inject: ({ world, network }) => {
      const { pick } = world.random;
      network.next = { step: pick(steps), kind: pick(troubles) };
      world.note("network", `waits for ${network.next.step}: ${network.next.kind}`);
    },
  },
  "the token expires": { weight: 2, inject: ({ model }) => model.expireTokens() },
  "the secret expires": {
    weight: 1,
    inject({ world, model, lasts }) {
      model.expireTokens();
      model.isSecretExpired = true;
      lasts(world.random.between(MINUTE_MS, 20 * MINUTE_MS), () => {
        model.isSecretExpired = false;
      });
    },
  },
  "a permission is revoked": {
    weight: 3,
    inject: ({ world, model, lasts }) => {
      const privilege = world.random.pick<Privilege>([
        "READ VOLUME",
        "WRITE VOLUME",
        "MODIFY",
        "SELECT",
        "USE SCHEMA",
        "CAN USE",
      ]);
      model.revoked.add(privilege);
      world.note("workspace", `revoked: ${privilege}`);
      const forMs = world.random.pick([5 * MINUTE_MS, 20 * MINUTE_MS, 24 * HOUR_MS]);
      lasts(forMs, () => {
        model.revoked.delete(privilege);
        world.note("workspace", `granted: ${privilege}`);
      });
    },
  },
  "a table is dropped": { weight: 3, inject: dropTable },
  "a column is dropped": { weight: 2, inject: dropColumn },
  "a column is changed": { weight: 2, inject: changeColumn },
  "the schema is dropped": { weight: 1, inject: dropSchema },
  "the volume is dropped": { weight: 2, inject: dropVolume },
  "two exports at once": {
    weight: 4,
    inject: ({ machine }) => {
      void machine.startExport();
      void machine.startExport();
    },
  },
  "a log of the history is damaged": {
    weight: 2,
    inject: (setting) => damage(setting, /_delta_log\/\d+\./, [...ways, "twice"]),
  },
  "the end of a table is damaged": { weight: 2, inject: damageEnd },
  "a file of the history is damaged": {
    weight: 2,
    inject: (setting) => damage(setting, /rows-[\d-]+\.parquet$/, [...ways, "twice"]),
  },
  "what says how far it came is damaged": {
    weight: 2,
    inject: (setting) => damage(setting, /(exported|sealed)(\.again)?\.json$/, [...ways, "older"]),
  },
  "an entry of the journal is damaged": {
    weight: 2,
    inject: ({ machine }) => machine.damageJournal("an entry"),
  },
  "the journal is damaged": {
    weight: 1,
    inject: ({ machine, world }) =>
      machine.damageJournal(world.random.pick(["its beginning", "a page"] as const)),
  },
  "the machine sleeps": {
    weight: 2,
    inject: ({ world, machine }) => {
      machine.struckBy.push(...clockStrikes);
      world.sleep(world.random.between(MINUTE_MS, 30 * MINUTE_MS));
    },
  },
  "the clock jumps": {
    weight: 3,
    inject: ({ world, machine }) => {
      const monthMs = 30 * 24 * HOUR_MS;
      const byMs = world.random.pick([-HOUR_MS, HOUR_MS, -monthMs, monthMs]);
      machine.skewMs += byMs;
      machine.struckBy.push(...clockStrikes);
      world.note("clock", `jumps by ${byMs / HOUR_MS} h`);
      if (world.random.next() < 0.7) {
        world.after(world.random.between(1_000, 10 * MINUTE_MS), () => {
          machine.skewMs -= byMs;
          world.note("clock", "is set right");
        });
      }
    },
  },
};

/** Of the machine, or the one that Spark mounts where rows go to it. */
function diskOf({ ways, disk, lake }: Machine, { random }: World): SimDisk {
  return ways.includes("directory") && random.next() < 0.3 ? lake : disk;
}

type Way = "cut" | "overwritten" | "gone" | "twice" | "older";

const ways: readonly Way[] = ["cut", "overwritten", "gone"];

/**
 * Cut off, or with other bytes in it; or it is gone; or it has a second name, as a copy that
 * somebody made; or it is what it was before, as one that somebody put back.
 */
function damage({ machine, world }: Setting, which: RegExp, ways: readonly Way[]): void {
  const { historyDirectory, disk } = machine;
  const { random } = world;
  const paths = readdirSync(historyDirectory, { recursive: true, encoding: "utf8" })
    .filter((path) => which.test(path) && !path.startsWith("damaged"))
    .sort();
  if (paths.length === 0) return;
  const path = join(historyDirectory, random.pick(paths));
  const bytes = readFileSync(path);
  const how = random.pick(ways);
  world.note("disk", `${how}: ${path}`);
  machine.struckBy.push(...damageStrikes);
  switch (how) {
    case "gone":
      disk.damage(path, null);
      return;
    case "cut":
      disk.damage(path, bytes.subarray(0, random.between(0, bytes.length)));
      return;
    case "overwritten": {
      const from = random.between(0, bytes.length);
      const upTo = Math.min(from + random.between(1, 512), bytes.length);
      disk.damage(path, bytes.fill(random.pick([0, 0x5a]), from, upTo));
      return;
    }
    case "twice": {
      const beside = besidePath(path, paths, random);
      world.note("disk", `as ${beside}`);
      disk.damage(beside, bytes);
      return;
    }
    case "older": {
      const older = disk.olderOf(path);
      if (older.length > 0) disk.damage(path, random.pick(older));
    }
  }
}

/** The next of the numbers that a commit has, a name of no meaning, or that of another one. */
function besidePath(path: string, all: readonly string[], { pick }: Random): string {
  const next = path.replace(/(?<=_delta_log\/)\d+/, (version) =>
    String(Number(version) + 1).padStart(version.length, "0"),
  );
  const beside = path.replace(/\.(?=[^/]*$)/, " (copy).");
  const other = all.filter((one) => dirname(one) === dirname(path));
  return pick([next, beside, ...other.map((one) => join(dirname(path), basename(one)))]);
}

/** The last commits of a log, and all files that they named. */
function damageEnd({ machine, world }: Setting): void {
  const { historyDirectory, disk } = machine;
  const { random } = world;
  const home = join(historyDirectory, random.pick(tableNames));
  const log = join(home, "_delta_log");
  const commits = (existsSync(log) ? readdirSync(log) : [])
    .filter((name) => /^\d+\.json$/.test(name))
    .sort();
  for (const name of commits.slice(-random.between(1, 3))) {
    const text = readFileSync(join(log, name), "utf8");
    for (const [, file = ""] of text.matchAll(/^{"add":{"path":"([^"]+)"/gm)) {
      if (existsSync(join(home, file))) disk.damage(join(home, file), null);
    }
    world.note("disk", `gone, with its files: ${join(log, name)}`);
    machine.struckBy.push(...damageStrikes);
    disk.damage(join(log, name), null);
  }
}

function cutPower({ machine, world }: Setting, why: string): void {
  machine.killAll(why);
  machine.disk.cutPower();
  machine.lake.cutPower();
  world.note("disk", "what was not synced may be gone");
}

export const faultNames = Object.keys(faults);
