/**
 * What can strike a program, each with the words that people have to be told when it stops at it:
 * what happened, by name, and what to do. A failure that is told has to be one of those that
 * struck, in its words.
 */
import type { Trouble } from "./network.ts";

export type Strike = {
  /** In the message. */
  readonly message: RegExp;
  /** In the hint. */
  readonly hint: RegExp;
};

const route = /Check the network/;
const lostConnection: Strike = {
  message: /lost the connection before the answer was whole/,
  hint: route,
};
const noAnswer: Strike = { message: /gave no whole answer within [\d.]+ s/, hint: route };
const tooMany: Strike = { message: /answered 429/, hint: /limits its callers/ };

export const troubleStrikes: Readonly<Record<Trouble, Strike>> = {
  "429": tooMany,
  "429 for an hour": tooMany,
  "503": { message: /answered 503/, hint: /Try again later|may have been done/ },
  "reset before": lostConnection,
  "reset after": lostConnection,
  half: lostConnection,
  hang: noAnswer,
  late: noAnswer,
  cut: lostConnection,
};

export const diskStrikes: Readonly<Record<string, Strike>> = {
  ENOSPC: { message: /no space left on device|disk is full/, hint: /[Ff]ree (disk )?space/ },
  EIO: { message: /i\/o error|disk is full/, hint: /disk/ },
  ENOENT: { message: /no such file/, hint: /mount/ },
  EACCES: { message: /permission denied/, hint: /is mounted/ },
};

/** Of a statement that took longer than it was given. */
export const lateStrike: Strike = {
  message: /statement \S+ is CANCELED/,
  hint: /It was given \d+ s\. .*larger SQL warehouse/,
};

/** Of a machine, at any time: what its clock and its other programs do. */
export const alwaysStrikes: readonly Strike[] = [
  // The note of who holds the lock may be what the disk failed at.
  {
    message: /(process \d+ on \S+|another process) exports it already/,
    hint: /Wait for it to end/,
  },
  { message: /its process ended \(SIGKILL\)/, hint: /restart the monitor/ },
  { message: /the process that exports ended \(SIGKILL\)/, hint: /goes on/ },
];

/** A clock that jumps makes every wait too long. */
export const clockStrikes: readonly Strike[] = [
  noAnswer,
  { message: /was still (RUNNING|PENDING) after \d+ s, and was cancelled/, hint: /look before/ },
];

export const damageStrikes: readonly Strike[] = [
  { message: /cannot read the log of the Delta table/, hint: /monitor: it makes the log whole/ },
  { message: /cannot read files of the history's table/, hint: /seals their rows again/ },
];

/** What the workspace refused, by what it said. */
export function refusalStrike(said: string): Strike {
  const [, privilege, on] = /User does not have (.+?) on (.+?)\.(?:\s|$)/.exec(said) ?? [];
  if (privilege !== undefined && on !== undefined) {
    return {
      message: new RegExp(`${quoted(privilege)} on ${quoted(on)}`),
      hint: privilege === "CAN USE" ? /CAN USE/ : new RegExp(`Give the identity|${privilege}`),
    };
  }
  if (/Credential was not sent|client secret/.test(said)) {
    return { message: /answered 401/, hint: /have not expired/ };
  }
  return { message: new RegExp(quoted(said.slice(0, 40))), hint: /./ };
}

/** Of tables that somebody dropped, one of which is told at least. */
export function droppedStrike(fullName: string): Strike {
  return {
    message: new RegExp(`${quoted(fullName)}\\b.* not there any more`),
    hint: new RegExp(
      `UNDROP TABLE ${quoted(fullName)}\\b.*export --to \\S+ --prefix \\S+ --recreate`,
    ),
  };
}

export function changedColumnStrike(
  fullName: string,
  {
    column,
    from,
    to,
  }: { readonly column: string; readonly from: string; readonly to: string | null },
): Strike {
  const message =
    to === null
      ? `${quoted(fullName)}: it has no column ${column}\\b`
      : `${quoted(fullName)}: its column ${column} is ${quoted(to)}, and the rows hold ${quoted(from)}`;
  return {
    message: new RegExp(message, "i"),
    hint: new RegExp(`Mend the column.*ALTER TABLE ${quoted(fullName)} RENAME TO .*--recreate`),
  };
}

export function goneStrike(home: string): Strike {
  return {
    message: new RegExp(`${quoted(home)}\\b.* not there any more`),
    hint: /Mount .*--directory \S+ --prefix \S+ --recreate/,
  };
}

function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
