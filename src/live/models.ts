/** The models that an agent called. */
import type { ModuleCall } from "../signals/request.ts";
import { type CountedCalls, countCall, newSlicesOfCalls, useOf } from "./counted.ts";
import { Kept, type Room } from "./kept.ts";
import { RunTally, type Tally } from "./tally.ts";

/** Models of one agent beyond this are counted together as `other`. */
export const MODELS_MAX = 50;
export const ALL_MODELS_MAX = 500;

export type Model = CountedCalls & { readonly model: string };

export type Models = Kept<Model>;

export function newModels(room: Room): Models {
  return new Kept<Model>(MODELS_MAX, room);
}

export function addLmCalls(models: Models, calls: readonly ModuleCall[], nowMs: number): void {
  for (const call of calls) {
    if (call.kind !== "lm") continue;
    countCall(modelOf(models, call.model ?? "unknown", nowMs), call, nowMs, (tally) =>
      tallyLmCall(tally, call),
    );
  }
}

export function tallyLmCall(tally: Tally, call: ModuleCall): void {
  tally.addLatency(call.latencyMs);
  tally.addUse(useOf(call));
  if (call.errorClass) tally.addFailed(call.errorClass);
}

function modelOf(models: Models, named: string, nowMs: number): Model {
  const name = models.hasRoom || models.has(named) ? named : "other";
  return (
    models.get(name) ??
    models.add(name, {
      model: name,
      slices: newSlicesOfCalls(),
      run: new RunTally(),
      lastSeenMs: nowMs,
    })
  );
}
