/**
 * When something is due: Quartz's cron, which begins with seconds, counts days of the
 * week from Sunday as 1, and leaves one of its two day fields open with `?`.
 *
 * Source: Quartz 2.1.7, "CronTrigger Tutorial".
 */
import { Cron } from "croner";

/** Largest value of each field; a step without an end runs to it. */
const LAST = [59, 59, 23, 31, 12, 6, 2099] as const;
const DAY_OF_WEEK = 5;

/** @throws Error that says what is wrong with the expression or the time zone. */
export function parseQuartz(expression: string, timeZone: string): Cron {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== 6 && fields.length !== 7) {
    throw new Error(`A Quartz expression has 6 or 7 fields, and this has ${fields.length}.`);
  }
  const [, , , dayOfMonth, , dayOfWeek] = fields;
  if ((dayOfMonth === "?") === (dayOfWeek === "?")) {
    throw new Error("One of day-of-month and day-of-week must be '?', and not both.");
  }
  const pattern = fields.map(translateField).join(" ");
  try {
    return new Cron(pattern, { timezone: timeZone, paused: true });
  } catch (error) {
    throw new Error(error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "");
  }
}

/** Unix milliseconds; `null` when it is never due again. */
export function nextDueMs(cron: Cron, afterMs: number): number | null {
  return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
}

function translateField(field: string, index: number): string {
  const isDayOfWeek = index === DAY_OF_WEEK;
  return field
    .split(",")
    .map((part) => {
      if (part === "?") return "*";
      const numbered = isDayOfWeek ? countedFromZero(part) : part;
      const [, start, step] = /^(\w+)\/(\d+)$/.exec(numbered) ?? [];
      if (start !== undefined) return `${start}-${LAST[index]}/${step}`;
      return numbered.startsWith("/") ? `*${numbered}` : numbered;
    })
    .join(",");
}

/** The number before `#` or `L` is a day, the one after `#` and `/` is not. */
function countedFromZero(part: string): string {
  const [days = "", ...rest] = part.split(/(?=[#/])/);
  const counted = days.replaceAll(/\d+/g, (day) => String((Number(day) + 6) % 7));
  // Quartz's `L` alone is the seventh day.
  return [counted === "L" ? "6" : counted, ...rest].join("");
}
