/** The models that an agent called. */
import type { ModuleCall } from "../signals/request.ts";
import { count, newTally, placeSlicing, useOf } from "./counted.ts";
import { Kept, type Room } from "./kept.ts";
import { Sliced } from "./sliced.ts";
import { RunTally, type Tally } from "./tally.ts";

/** Models of one agent beyond this are counted together as `other`. */
export const MODELS_MAX = 50;
export const ALL_MODELS_MAX = 500;

export type Model = {
  readonly model: string;
  readonly slices: Sliced<Tally>;
  run: RunTally;
  lastSeenMs: number;
};

export type Models = Kept<Model>;

export function newModels(room: Room): Models {
  return new Kept<Model>(MODELS_MAX, room);
}

export function addLmCalls(models: Models, calls: readonly ModuleCall[], nowMs: number): void {
  for (const call of calls) {
    if (call.kind !== "lm") continue;
    count(modelOf(models, call.model ?? "unknown", nowMs), call.timeMs, nowMs, (tally) => {
      tally.addLatency(call.latencyMs);
      tally.addUse(useOf(call));
      if (call.errorClass) {
        tally.failed++;
        tally.addFailed(call.errorClass, 1);
      }
    });
  }
}

function modelOf(models: Models, named: string, nowMs: number): Model {
  const name = models.hasRoom || models.has(named) ? named : "other";
  return (
    models.get(name) ??
    models.add(name, {
      model: name,
      slices: new Sliced(newTally, placeSlicing),
      run: new RunTally(),
      lastSeenMs: nowMs,
    })
  );
}
