/**
 * What `/metrics` tells of modules, tools and retrievers. Calls and failures are told of
 * all. What takes many series of each – a histogram, tokens, counts for each release – is
 * told of some, and how many are left out.
 */
import type { Agent } from "../live/agents.ts";
import type { CallSums } from "../live/call-sums.ts";
import type { Place } from "../live/places.ts";
import { type Family, histogram, known, type Labels } from "./metric-family.ts";

/** Modules that are told in detail. One takes some thirty lines, and two otherwise. */
export const DETAILED_MODULES_MAX = 200;
/** Releases of these modules, all together, that are counted apart. One takes four lines. */
export const MODULE_RELEASES_MAX = 500;

/** What is told in detail: whoever came first, as long as it is there, so that no series goes and comes. */
export type Detailed = {
  readonly modules: Set<Place>;
  readonly releases: Set<CallSums>;
};

export function nothingDetailed(): Detailed {
  return { modules: new Set(), releases: new Set() };
}

type Module = { readonly place: Place; readonly labels: Labels };
type OfRelease = { readonly sums: CallSums; readonly labels: Labels };

export function moduleFamilies(agents: readonly Agent[], detailed: Detailed): Family[] {
  const modules = agents.flatMap(modulesOf);
  choose(detailed.modules, placesOf(modules), DETAILED_MODULES_MAX);
  const told = modules.filter(({ place }) => detailed.modules.has(place));
  const releases = told.flatMap(releasesOf);
  choose(detailed.releases, sumsOf(releases), MODULE_RELEASES_MAX);
  const toldReleases = releases.filter(({ sums }) => detailed.releases.has(sums));
  return [
    ...countFamilies(modules),
    ...detailFamilies(told),
    {
      name: "dspy_module_details_left_out",
      type: "gauge",
      help: `Modules of which only calls and failures are told here, beyond ${DETAILED_MODULES_MAX}.`,
      values: [{ labels: {}, value: modules.length - told.length }],
    },
    ...releaseFamilies(toldReleases),
    {
      name: "dspy_module_releases_left_out",
      type: "gauge",
      help: `Releases of modules that are not told apart here, beyond ${MODULE_RELEASES_MAX}.`,
      values: [{ labels: {}, value: releases.length - toldReleases.length }],
    },
  ];
}

function modulesOf({ endpoint, places }: Agent): Module[] {
  return places.inOrder.map((place) => {
    const { program, path, kind } = place;
    return { place, labels: { endpoint, program, path, kind } };
  });
}

function releasesOf({ place, labels }: Module): OfRelease[] {
  return Array.from(place.runByRelease.parts(), ({ release, modelVersion, counted }) => ({
    sums: counted,
    labels: { ...labels, release: release ?? "", model_version: modelVersion ?? "" },
  }));
}

const placesOf = (modules: readonly Module[]) => modules.map(({ place }) => place);
const sumsOf = (releases: readonly OfRelease[]) => releases.map(({ sums }) => sums);

/** Makes room by those that are gone, then takes whoever comes first. */
function choose<T>(chosen: Set<T>, all: readonly T[], max: number): void {
  const present = new Set(all);
  for (const one of chosen) if (!present.has(one)) chosen.delete(one);
  for (const one of all) {
    if (chosen.size >= max) return;
    chosen.add(one);
  }
}

function countFamilies(modules: readonly Module[]): Family[] {
  return [
    {
      name: "dspy_module_calls_total",
      type: "counter",
      help: "Calls of a DSPy module, tool or retriever.",
      values: modules.map(({ labels, place }) => ({ labels, value: place.run.calls })),
    },
    {
      name: "dspy_module_failures_total",
      type: "counter",
      help: "Calls of a DSPy module, tool or retriever that failed.",
      values: modules.map(({ labels, place }) => ({ labels, value: place.run.failed })),
    },
  ];
}

function detailFamilies(modules: readonly Module[]): Family[] {
  return [
    {
      name: "dspy_module_latency_seconds",
      type: "histogram",
      help: "Latency of the calls of a DSPy module, tool or retriever.",
      values: modules.flatMap(({ labels, place }) => histogram(labels, place.run)),
    },
    {
      name: "dspy_module_self_seconds_total",
      type: "counter",
      help: "Part of the latency that was not spent in modules below. Its own model calls are in it.",
      values: modules.map(({ labels, place }) => ({
        labels,
        value: place.run.selfMs.sum / 1000,
      })),
    },
    {
      name: "dspy_module_lm_calls_total",
      type: "counter",
      help: "Model calls that the module made itself.",
      values: modules.map(({ labels, place }) => ({ labels, value: place.run.lmCalls })),
    },
    {
      name: "dspy_module_parse_failures_total",
      type: "counter",
      help: "Answers of models that could not be read, also where a fallback then succeeded.",
      values: modules.map(({ labels, place }) => ({ labels, value: place.run.parseFailures })),
    },
    {
      name: "dspy_module_tool_failures_total",
      type: "counter",
      help: "Failed calls of tools that the module called, also where the agent went on.",
      values: modules.map(({ labels, place }) => ({ labels, value: place.run.toolFailures })),
    },
    {
      name: "dspy_module_token_total",
      type: "counter",
      help: "Tokens of the model calls that the module made itself, where telemetry tells.",
      values: modules.flatMap(({ labels, place: { run } }) => [
        ...known({ ...labels, direction: "input" }, run.tokens?.input ?? null),
        ...known({ ...labels, direction: "output" }, run.tokens?.output ?? null),
      ]),
    },
    {
      name: "dspy_module_cost_usd_total",
      type: "counter",
      help: "Cost of the model calls that the module made itself, where it is known.",
      values: modules.flatMap(({ labels, place }) => known(labels, place.run.costUsd)),
    },
  ];
}

function releaseFamilies(releases: readonly OfRelease[]): Family[] {
  const each = (read: (sums: CallSums) => number) =>
    releases.map(({ labels, sums }) => ({ labels, value: read(sums) }));
  return [
    {
      name: "dspy_module_release_calls_total",
      type: "counter",
      help: "Calls of a module by release of the program and version of the model; empty where telemetry does not tell.",
      values: each(({ calls }) => calls),
    },
    {
      name: "dspy_module_release_failures_total",
      type: "counter",
      help: "Calls of a module that failed, by release.",
      values: each(({ failed }) => failed),
    },
    {
      name: "dspy_module_release_latency_seconds_total",
      type: "counter",
      help: "Latency of the calls of a module, added up by release.",
      values: each(({ latencyMs }) => latencyMs / 1000),
    },
    {
      name: "dspy_module_release_self_seconds_total",
      type: "counter",
      help: "Part of that latency that was not spent in modules below.",
      values: each(({ selfMs }) => selfMs / 1000),
    },
  ];
}
