/** The models that an agent called. */
import type { ModuleCall } from "../signals/request.ts";
import { type CountedCalls, cacheHitsOf, countCall, newSlicesOfCalls } from "./counted.ts";
import { Kept, type Room } from "./kept.ts";
import { type CallFigures, callFigures, RunTally } from "./tally.ts";

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
    const model = modelOf(models, call.model ?? "unknown", nowMs);
    countCall(model, call, nowMs, figuresOfLmCall(call));
  }
}

export function figuresOfLmCall(call: ModuleCall): CallFigures {
  const { latencyMs, errorClass, tokens, cost } = call;
  return callFigures({ latencyMs, errorClass, tokens, cost, cacheHits: cacheHitsOf(call) });
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
