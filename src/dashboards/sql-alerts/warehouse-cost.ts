/**
 * What a SQL warehouse costs in a day because alerts are evaluated on it: an estimate, with
 * what it rests on. Pure.
 *
 * It is paid for while it runs: during an evaluation, and from then on until it stops by
 * itself. One that stops later than the next evaluation comes never stops.
 */
export type CostedWarehouse = {
  readonly size: string | null;
  readonly isServerless: boolean | null;
  /** Minutes without a statement until it stops; 0 is never. */
  readonly autoStopMinutes: number | null;
};

export type WarehouseCost = {
  readonly evaluationsPerDay: number;
  readonly hoursPerDay: number;
  /** `null` for a size whose price is not known here. */
  readonly dbuPerDay: number | null;
  readonly usdPerDay: number | null;
};

/**
 * DBU in an hour of one cluster, the same for classic, pro and serverless.
 *
 * Source: Databricks, "Pricing: instance types" for SQL compute, as repeated in public
 * calculators of October 2026.
 */
const DBU_PER_HOUR: ReadonlyMap<string, number> = new Map([
  ["2X-Small", 4],
  ["X-Small", 6],
  ["Small", 12],
  ["Medium", 24],
  ["Large", 40],
  ["X-Large", 80],
  ["2X-Large", 144],
  ["3X-Large", 272],
  ["4X-Large", 528],
]);

/**
 * List price of serverless SQL on AWS and Azure in the US, Premium tier, with the machines in it.
 * Pro is 0.55 and the machines of the cloud beside it, so that it is no cheaper.
 *
 * Source: Databricks, "Pricing: Databricks SQL", as repeated in public guides of April 2026.
 */
export const USD_PER_DBU = 0.7;
export const PRICE_AS_OF = "2026-04";
/** All alerts of one minute are evaluated within this, with the start of a serverless warehouse. */
const BUSY_MINUTES = 0.5;
const MINUTES_PER_DAY = 24 * 60;

export function warehouseCost(
  { size, autoStopMinutes }: CostedWarehouse,
  everyMinutes: number,
): WarehouseCost {
  const evaluationsPerDay = Math.floor(MINUTES_PER_DAY / everyMinutes);
  const isNeverStopped = autoStopMinutes === null || autoStopMinutes === 0;
  const runsMinutes = isNeverStopped ? everyMinutes : BUSY_MINUTES + autoStopMinutes;
  const hoursPerDay = (Math.min(everyMinutes, runsMinutes) * evaluationsPerDay) / 60;
  const dbuPerHour = DBU_PER_HOUR.get(size ?? "");
  const dbuPerDay = dbuPerHour === undefined ? null : dbuPerHour * hoursPerDay;
  return {
    evaluationsPerDay,
    hoursPerDay,
    dbuPerDay,
    usdPerDay: dbuPerDay === null ? null : dbuPerDay * USD_PER_DBU,
  };
}

/** `runs 24 h a day for 288 evaluations: 96 DBU, about $67 at the list price of $0.70 (2026-04), unless it runs anyway`. */
export function warehouseCostText(warehouse: CostedWarehouse, everyMinutes: number): string {
  const { evaluationsPerDay, hoursPerDay, dbuPerDay, usdPerDay } = warehouseCost(
    warehouse,
    everyMinutes,
  );
  const runs = `runs ${figure(hoursPerDay)} h a day for ${evaluationsPerDay} evaluations`;
  if (dbuPerDay === null || usdPerDay === null) {
    return `${runs}; what an hour costs is not known of size ${warehouse.size ?? "unknown"}`;
  }
  const price = `$${USD_PER_DBU.toFixed(2)} (${PRICE_AS_OF}, US${warehouse.isServerless === false ? "; not serverless, so it is an estimate" : ""})`;
  return `${runs}: ${figure(dbuPerDay)} DBU, about $${figure(usdPerDay)} at the list price of ${price}, unless it runs anyway`;
}

const figure = (value: number) =>
  value.toLocaleString("en-US", { maximumFractionDigits: value < 10 ? 1 : 0 });
