// biome-ignore-all format: one line per price reads as a table
/**
 * The built-in prices: list prices of pay-per-token calls in US dollars per million
 * tokens, without discounts, batch or priority tiers. `since` is the first day on which
 * the price is known to hold: the model's release, or the day it was first seen in the
 * list. `asOf` is the day for which it was last looked up. A price that could not be
 * found in a list is left out: such calls are unpriced, not guessed. Names that move
 * from one model to another, such as `…-latest`, are left out too.
 *
 * `docs/cost.md` shows this table; a test keeps the two the same.
 */
import { type ModelPrices, type Price, type PriceBook, priceBookOf } from "./price-book.ts";

/** One model at one price. A model whose price changed has a row for each. */
export type ListedPrice = Omit<Price, "source"> & {
  readonly model: string;
  /** Other names of the same model at the same price, such as dated ones. */
  readonly aliases?: readonly string[];
  /** Where it differs from that of the list. */
  readonly asOf?: string;
};

export type PriceList = {
  /** Who bills the call. */
  readonly seller: string;
  /** Whose page lists the prices. */
  readonly source: string;
  readonly asOf: string;
  /** How telemetry names who serves the model: LiteLLM's and OpenTelemetry's names. */
  readonly providers: readonly string[];
  /** Whether a call that tells no provider is taken for one of this seller. */
  readonly isFoundByNameAlone: boolean;
  readonly prices: readonly ListedPrice[];
};

export const priceLists: readonly PriceList[] = [
  {
    seller: "Databricks",
    source: "databricks.com/product/pricing/foundation-model-serving and …/proprietary-foundation-model-serving",
    asOf: "2026-07-24",
    providers: ["databricks", "openai"],
    isFoundByNameAlone: true,
    prices: [
      { model: "databricks-claude-haiku-4-5", since: "2025-12-02", inputUsd: 1, outputUsd: 5 },
      { model: "databricks-claude-sonnet-4", since: "2025-12-02", inputUsd: 3, outputUsd: 15 },
      { model: "databricks-claude-sonnet-4-5", since: "2025-12-02", inputUsd: 3, outputUsd: 15 },
      { model: "databricks-claude-3-7-sonnet", since: "2025-12-02", inputUsd: 3, outputUsd: 15 },
      { model: "databricks-claude-opus-4", since: "2025-12-02", inputUsd: 15, outputUsd: 75 },
      { model: "databricks-claude-opus-4-1", since: "2025-12-02", inputUsd: 15, outputUsd: 75 },
      { model: "databricks-claude-opus-4-5", since: "2025-12-02", inputUsd: 5, outputUsd: 25 },
      { model: "databricks-gemini-2-5-flash", since: "2025-12-02", inputUsd: 0.3, outputUsd: 2.5 },
      { model: "databricks-gemini-2-5-pro", since: "2025-12-02", inputUsd: 1.25, outputUsd: 10 },
      { model: "databricks-gpt-5", since: "2025-12-02", inputUsd: 1.25, outputUsd: 10 },
      { model: "databricks-gpt-5-1", since: "2025-12-02", inputUsd: 1.25, outputUsd: 10 },
      { model: "databricks-gpt-5-mini", since: "2025-12-02", inputUsd: 0.25, outputUsd: 2 },
      { model: "databricks-gpt-5-nano", since: "2025-12-02", inputUsd: 0.05, outputUsd: 0.4 },
      { model: "databricks-gpt-oss-120b", since: "2025-12-02", inputUsd: 0.15, outputUsd: 0.6 },
      { model: "databricks-gpt-oss-20b", since: "2025-12-02", inputUsd: 0.07, outputUsd: 0.3 },
      { model: "databricks-gemma-3-12b", since: "2025-12-02", inputUsd: 0.15, outputUsd: 0.5 },
      { model: "databricks-llama-4-maverick", since: "2025-12-02", inputUsd: 0.5, outputUsd: 1.5 },
      { model: "databricks-meta-llama-3-1-8b-instruct", since: "2025-12-02", inputUsd: 0.15, outputUsd: 0.45 },
      { model: "databricks-meta-llama-3-3-70b-instruct", since: "2025-03-31", inputUsd: 1, outputUsd: 3 },
      { model: "databricks-meta-llama-3-3-70b-instruct", since: "2025-12-02", inputUsd: 0.5, outputUsd: 1.5 },
      { model: "databricks-meta-llama-3-1-405b-instruct", since: "2025-02-06", inputUsd: 5, outputUsd: 15 },
    ],
  },
  {
    seller: "OpenAI",
    source: "developers.openai.com/api/docs/pricing",
    asOf: "2026-07-24",
    providers: ["openai"],
    isFoundByNameAlone: true,
    prices: [
      { model: "gpt-4-turbo", aliases: ["gpt-4-turbo-2024-04-09"], since: "2024-04-09", inputUsd: 10, outputUsd: 30 },
      { model: "gpt-4o", aliases: ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20"], since: "2024-10-02", inputUsd: 2.5, outputUsd: 10, cacheReadUsd: 1.25 },
      { model: "gpt-4o-2024-05-13", since: "2024-05-13", inputUsd: 5, outputUsd: 15 },
      { model: "gpt-4o-mini", aliases: ["gpt-4o-mini-2024-07-18"], since: "2024-10-01", inputUsd: 0.15, outputUsd: 0.6, cacheReadUsd: 0.075 },
      { model: "gpt-4.1", aliases: ["gpt-4.1-2025-04-14"], since: "2025-04-14", inputUsd: 2, outputUsd: 8, cacheReadUsd: 0.5 },
      { model: "gpt-4.1-mini", aliases: ["gpt-4.1-mini-2025-04-14"], since: "2025-04-14", inputUsd: 0.4, outputUsd: 1.6, cacheReadUsd: 0.1 },
      { model: "gpt-4.1-nano", aliases: ["gpt-4.1-nano-2025-04-14"], since: "2025-04-14", inputUsd: 0.1, outputUsd: 0.4, cacheReadUsd: 0.025 },
      { model: "o1", aliases: ["o1-2024-12-17"], since: "2024-12-17", inputUsd: 15, outputUsd: 60, cacheReadUsd: 7.5 },
      { model: "o3", aliases: ["o3-2025-04-16"], since: "2025-04-16", inputUsd: 10, outputUsd: 40, cacheReadUsd: 2.5 },
      { model: "o3", aliases: ["o3-2025-04-16"], since: "2025-06-10", inputUsd: 2, outputUsd: 8, cacheReadUsd: 0.5 },
      { model: "o3-mini", aliases: ["o3-mini-2025-01-31"], since: "2025-02-06", inputUsd: 1.1, outputUsd: 4.4, cacheReadUsd: 0.55 },
      { model: "o4-mini", aliases: ["o4-mini-2025-04-16"], since: "2025-04-16", inputUsd: 1.1, outputUsd: 4.4, cacheReadUsd: 0.275 },
      { model: "gpt-5", aliases: ["gpt-5-2025-08-07"], since: "2025-08-07", inputUsd: 1.25, outputUsd: 10, cacheReadUsd: 0.125 },
      { model: "gpt-5-mini", aliases: ["gpt-5-mini-2025-08-07"], since: "2025-08-07", inputUsd: 0.25, outputUsd: 2, cacheReadUsd: 0.025 },
      { model: "gpt-5-nano", aliases: ["gpt-5-nano-2025-08-07"], since: "2025-08-07", inputUsd: 0.05, outputUsd: 0.4, cacheReadUsd: 0.005 },
      { model: "gpt-5.1", aliases: ["gpt-5.1-2025-11-13"], since: "2025-11-13", inputUsd: 1.25, outputUsd: 10, cacheReadUsd: 0.125 },
      { model: "gpt-5.2", aliases: ["gpt-5.2-2025-12-11"], since: "2025-12-11", inputUsd: 1.75, outputUsd: 14, cacheReadUsd: 0.175 },
      { model: "gpt-5.4", aliases: ["gpt-5.4-2026-03-05"], since: "2026-03-05", inputUsd: 2.5, outputUsd: 15, cacheReadUsd: 0.25, upToInputTokens: 272_000 },
      { model: "gpt-5.4-mini", aliases: ["gpt-5.4-mini-2026-03-17"], since: "2026-03-17", inputUsd: 0.75, outputUsd: 4.5, cacheReadUsd: 0.075 },
      { model: "gpt-5.4-nano", aliases: ["gpt-5.4-nano-2026-03-17"], since: "2026-03-17", inputUsd: 0.2, outputUsd: 1.25, cacheReadUsd: 0.02 },
      { model: "gpt-5.5", aliases: ["gpt-5.5-2026-04-23"], since: "2026-04-26", inputUsd: 5, outputUsd: 30, cacheReadUsd: 0.5, upToInputTokens: 272_000 },
      { model: "gpt-6-sol", since: "2026-09-29", inputUsd: 2, outputUsd: 10, cacheReadUsd: 0.2, cacheWriteUsd: 2.5, upToInputTokens: 272_000, asOf: "2026-10-13" },
      { model: "gpt-6.1-sol", since: "2026-09-29", inputUsd: 2, outputUsd: 10, cacheReadUsd: 0.1, cacheWriteUsd: 2.5, upToInputTokens: 272_000, asOf: "2026-10-27" },
      { model: "gpt-6.1-terra", since: "2026-10-26", inputUsd: 1, outputUsd: 5, cacheReadUsd: 0.05, cacheWriteUsd: 1.25, upToInputTokens: 272_000, asOf: "2026-10-27" },
      { model: "gpt-6.2-sol", since: "2026-11-17", inputUsd: 2, outputUsd: 10, cacheReadUsd: 0.1, cacheWriteUsd: 2.5, upToInputTokens: 272_000, asOf: "2026-11-19" },
    ],
  },
  {
    seller: "Azure OpenAI, global deployments named as the model",
    source: "azure.microsoft.com/pricing/details/cognitive-services/openai-service",
    asOf: "2026-07-24",
    providers: ["azure", "azure.ai.openai", "az.ai.openai"],
    isFoundByNameAlone: false,
    prices: [
      { model: "gpt-4o", aliases: ["gpt-4o-2024-08-06"], since: "2024-10-02", inputUsd: 2.5, outputUsd: 10, cacheReadUsd: 1.25 },
      { model: "gpt-4o-2024-05-13", since: "2024-05-13", inputUsd: 5, outputUsd: 15 },
      { model: "gpt-4.1", aliases: ["gpt-4.1-2025-04-14"], since: "2025-04-14", inputUsd: 2, outputUsd: 8, cacheReadUsd: 0.5 },
      { model: "gpt-4.1-mini", aliases: ["gpt-4.1-mini-2025-04-14"], since: "2025-04-14", inputUsd: 0.4, outputUsd: 1.6, cacheReadUsd: 0.1 },
      { model: "gpt-4.1-nano", aliases: ["gpt-4.1-nano-2025-04-14"], since: "2025-04-14", inputUsd: 0.1, outputUsd: 0.4, cacheReadUsd: 0.025 },
      { model: "gpt-5", aliases: ["gpt-5-2025-08-07"], since: "2025-08-07", inputUsd: 1.25, outputUsd: 10, cacheReadUsd: 0.125 },
      { model: "gpt-5-mini", aliases: ["gpt-5-mini-2025-08-07"], since: "2025-08-07", inputUsd: 0.25, outputUsd: 2, cacheReadUsd: 0.025 },
      { model: "gpt-5-nano", aliases: ["gpt-5-nano-2025-08-07"], since: "2025-08-07", inputUsd: 0.05, outputUsd: 0.4, cacheReadUsd: 0.005 },
      { model: "gpt-5.1", aliases: ["gpt-5.1-2025-11-13"], since: "2025-11-13", inputUsd: 1.25, outputUsd: 10, cacheReadUsd: 0.125 },
      { model: "gpt-5.2", aliases: ["gpt-5.2-2025-12-11"], since: "2025-12-11", inputUsd: 1.75, outputUsd: 14, cacheReadUsd: 0.175 },
      { model: "gpt-5.4", aliases: ["gpt-5.4-2026-03-05"], since: "2026-03-05", inputUsd: 2.5, outputUsd: 15, cacheReadUsd: 0.25, upToInputTokens: 272_000 },
      { model: "gpt-5.4-mini", aliases: ["gpt-5.4-mini-2026-03-17"], since: "2026-03-17", inputUsd: 0.75, outputUsd: 4.5, cacheReadUsd: 0.075 },
      { model: "gpt-5.4-nano", aliases: ["gpt-5.4-nano-2026-03-17"], since: "2026-03-17", inputUsd: 0.2, outputUsd: 1.25, cacheReadUsd: 0.02 },
      { model: "gpt-5.5", aliases: ["gpt-5.5-2026-04-23"], since: "2026-04-26", inputUsd: 5, outputUsd: 30, cacheReadUsd: 0.5, upToInputTokens: 272_000 },
    ],
  },
  {
    seller: "Anthropic",
    source: "platform.claude.com/docs/en/about-claude/pricing",
    asOf: "2026-10-24",
    providers: ["anthropic"],
    isFoundByNameAlone: true,
    prices: [
      { model: "claude-3-haiku-20240307", since: "2025-02-06", inputUsd: 0.25, outputUsd: 1.25, cacheReadUsd: 0.03, cacheWriteUsd: 0.3 },
      { model: "claude-3-5-haiku-20241022", since: "2025-04-09", inputUsd: 0.8, outputUsd: 4, cacheReadUsd: 0.08, cacheWriteUsd: 1 },
      { model: "claude-3-7-sonnet-20250219", since: "2025-02-24", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75 },
      { model: "claude-sonnet-4-20250514", aliases: ["claude-sonnet-4-0"], since: "2025-05-22", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75, upToInputTokens: 200_000 },
      { model: "claude-opus-4-20250514", aliases: ["claude-opus-4-0"], since: "2025-05-22", inputUsd: 15, outputUsd: 75, cacheReadUsd: 1.5, cacheWriteUsd: 18.75 },
      { model: "claude-opus-4-1", aliases: ["claude-opus-4-1-20250805"], since: "2025-08-05", inputUsd: 15, outputUsd: 75, cacheReadUsd: 1.5, cacheWriteUsd: 18.75 },
      { model: "claude-sonnet-4-5", aliases: ["claude-sonnet-4-5-20250929"], since: "2025-09-29", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75, upToInputTokens: 200_000 },
      { model: "claude-haiku-4-5", aliases: ["claude-haiku-4-5-20251001"], since: "2025-10-15", inputUsd: 1, outputUsd: 5, cacheReadUsd: 0.1, cacheWriteUsd: 1.25 },
      { model: "claude-opus-4-5", aliases: ["claude-opus-4-5-20251101"], since: "2025-11-24", inputUsd: 5, outputUsd: 25, cacheReadUsd: 0.5, cacheWriteUsd: 6.25 },
      { model: "claude-opus-4-6", aliases: ["claude-opus-4-6-20260205"], since: "2026-02-08", inputUsd: 5, outputUsd: 25, cacheReadUsd: 0.5, cacheWriteUsd: 6.25 },
      { model: "claude-sonnet-4-6", since: "2026-02-20", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75 },
      { model: "claude-opus-4-7", aliases: ["claude-opus-4-7-20260416"], since: "2026-04-17", inputUsd: 5, outputUsd: 25, cacheReadUsd: 0.5, cacheWriteUsd: 6.25 },
      { model: "claude-opus-4-8", since: "2026-05-29", inputUsd: 5, outputUsd: 25, cacheReadUsd: 0.5, cacheWriteUsd: 6.25 },
      { model: "claude-fable-5", since: "2026-06-10", inputUsd: 10, outputUsd: 50, cacheReadUsd: 1, cacheWriteUsd: 12.5 },
      { model: "claude-sonnet-5", since: "2026-07-08", inputUsd: 2, outputUsd: 10, cacheReadUsd: 0.2, cacheWriteUsd: 2.5 },
      { model: "claude-opus-5", since: "2026-07-24", inputUsd: 5, outputUsd: 25, cacheReadUsd: 0.5, cacheWriteUsd: 6.25 },
      { model: "claude-fable-5-1", since: "2026-10-10", inputUsd: 10, outputUsd: 50, cacheReadUsd: 0.25, cacheWriteUsd: 12.5 },
      { model: "claude-opus-5-5", since: "2026-10-10", inputUsd: 4, outputUsd: 20, cacheReadUsd: 0.2, cacheWriteUsd: 5 },
      { model: "claude-sonnet-5-5", since: "2026-10-07", inputUsd: 2, outputUsd: 10, cacheReadUsd: 0.1, cacheWriteUsd: 2.5 },
      { model: "claude-haiku-5-5", since: "2026-10-07", inputUsd: 0.1, outputUsd: 0.5, cacheReadUsd: 0.01, cacheWriteUsd: 0.125, upToInputTokens: 100_000 },
    ],
  },
  {
    seller: "Google Gemini",
    source: "ai.google.dev/gemini-api/docs/pricing",
    asOf: "2026-07-24",
    providers: ["gemini", "google", "gcp.gemini"],
    isFoundByNameAlone: true,
    prices: [
      { model: "gemini-2.5-pro", since: "2026-01-13", inputUsd: 1.25, outputUsd: 10, cacheReadUsd: 0.125, upToInputTokens: 200_000 },
      { model: "gemini-2.5-flash", since: "2025-11-08", inputUsd: 0.3, outputUsd: 2.5, cacheReadUsd: 0.03 },
      { model: "gemini-2.5-flash-lite", since: "2026-01-23", inputUsd: 0.1, outputUsd: 0.4, cacheReadUsd: 0.01 },
      { model: "gemini-3-flash-preview", since: "2025-12-18", inputUsd: 0.5, outputUsd: 3, cacheReadUsd: 0.05 },
      { model: "gemini-3.1-pro-preview", since: "2026-02-20", inputUsd: 2, outputUsd: 12, cacheReadUsd: 0.2, upToInputTokens: 200_000 },
      { model: "gemini-3.1-flash-lite", since: "2026-05-23", inputUsd: 0.25, outputUsd: 1.5, cacheReadUsd: 0.025 },
      { model: "gemini-3.5-flash", since: "2026-05-23", inputUsd: 1.5, outputUsd: 9, cacheReadUsd: 0.15 },
      { model: "gemini-3.5-flash-lite", since: "2026-07-21", inputUsd: 0.3, outputUsd: 2.5, cacheReadUsd: 0.03 },
      { model: "gemini-3.6-flash", since: "2026-07-21", inputUsd: 1.5, outputUsd: 7.5, cacheReadUsd: 0.15 },
      { model: "gemini-3.6-flash", since: "2026-09-02", inputUsd: 0.75, outputUsd: 3.75, asOf: "2026-09-30" },
      { model: "gemini-3.6-flash", since: "2027-01-01", inputUsd: 1.5, outputUsd: 7.5, cacheReadUsd: 0.15, asOf: "2026-09-30" },
      { model: "gemini-3.8-flash", since: "2026-09-02", inputUsd: 0.75, outputUsd: 3.75, cacheReadUsd: 0.075, asOf: "2026-10-07" },
      { model: "gemini-3.8-flash", since: "2027-01-01", inputUsd: 1.5, outputUsd: 7.5, cacheReadUsd: 0.15, asOf: "2026-10-07" },
    ],
  },
  {
    seller: "Google Vertex AI",
    source: "cloud.google.com/vertex-ai/generative-ai/pricing",
    asOf: "2026-07-24",
    providers: ["vertex_ai", "gcp.vertex_ai"],
    isFoundByNameAlone: false,
    prices: [
      { model: "gemini-2.5-pro", since: "2026-01-13", inputUsd: 1.25, outputUsd: 10, cacheReadUsd: 0.125, upToInputTokens: 200_000 },
      { model: "gemini-2.5-flash", since: "2025-11-08", inputUsd: 0.3, outputUsd: 2.5, cacheReadUsd: 0.03 },
      { model: "gemini-2.5-flash-lite", since: "2026-01-23", inputUsd: 0.1, outputUsd: 0.4, cacheReadUsd: 0.01 },
      { model: "gemini-3-flash-preview", since: "2025-12-18", inputUsd: 0.5, outputUsd: 3, cacheReadUsd: 0.05 },
      { model: "gemini-3.1-pro-preview", since: "2026-02-20", inputUsd: 2, outputUsd: 12, cacheReadUsd: 0.2, upToInputTokens: 200_000 },
      { model: "gemini-3.1-flash-lite", since: "2026-05-23", inputUsd: 0.25, outputUsd: 1.5, cacheReadUsd: 0.025 },
      { model: "gemini-3.5-flash", since: "2026-05-23", inputUsd: 1.5, outputUsd: 9, cacheReadUsd: 0.15 },
      { model: "gemini-3.5-flash-lite", since: "2026-07-21", inputUsd: 0.3, outputUsd: 2.5, cacheReadUsd: 0.03 },
    ],
  },
  {
    seller: "Mistral",
    source: "mistral.ai/pricing",
    asOf: "2026-07-24",
    providers: ["mistral", "mistral_ai", "mistralai"],
    isFoundByNameAlone: true,
    prices: [
      { model: "mistral-large-2411", since: "2025-02-06", inputUsd: 2, outputUsd: 6 },
      { model: "mistral-large-2512", since: "2025-12-06", inputUsd: 0.5, outputUsd: 1.5 },
      { model: "mistral-medium-2505", since: "2025-05-31", inputUsd: 0.4, outputUsd: 2 },
      { model: "mistral-medium-2508", since: "2026-03-05", inputUsd: 0.4, outputUsd: 2 },
      { model: "mistral-medium-2604", since: "2026-06-21", inputUsd: 1.5, outputUsd: 7.5 },
      { model: "magistral-medium-2506", since: "2025-06-14", inputUsd: 2, outputUsd: 5 },
      { model: "magistral-medium-2509", since: "2025-11-12", inputUsd: 2, outputUsd: 5 },
      { model: "codestral-2508", since: "2025-12-14", inputUsd: 0.3, outputUsd: 0.9 },
      { model: "devstral-2512", since: "2025-12-14", inputUsd: 0.4, outputUsd: 2 },
      { model: "ministral-8b-2512", since: "2026-05-23", inputUsd: 0.15, outputUsd: 0.15 },
      { model: "pixtral-large-2411", since: "2025-02-06", inputUsd: 2, outputUsd: 6 },
    ],
  },
  {
    seller: "Cohere",
    source: "cohere.com/pricing",
    asOf: "2026-07-24",
    providers: ["cohere", "cohere_chat"],
    isFoundByNameAlone: true,
    prices: [
      { model: "command-a-03-2025", since: "2025-04-29", inputUsd: 2.5, outputUsd: 10 },
      { model: "command-r-08-2024", since: "2025-02-06", inputUsd: 0.15, outputUsd: 0.6 },
      { model: "command-r-plus-08-2024", since: "2025-02-06", inputUsd: 2.5, outputUsd: 10 },
      { model: "command-r7b-12-2024", since: "2024-12-13", inputUsd: 0.0375, outputUsd: 0.15 },
    ],
  },
  {
    seller: "Amazon Bedrock",
    source: "aws.amazon.com/bedrock/pricing",
    asOf: "2026-07-24",
    providers: ["bedrock", "bedrock/converse", "aws.bedrock", "aws"],
    isFoundByNameAlone: true,
    prices: [
      { model: "amazon.nova-micro-v1:0", aliases: ["us.amazon.nova-micro-v1:0"], since: "2024-12-03", inputUsd: 0.035, outputUsd: 0.14 },
      { model: "amazon.nova-lite-v1:0", aliases: ["us.amazon.nova-lite-v1:0"], since: "2024-12-03", inputUsd: 0.06, outputUsd: 0.24 },
      { model: "amazon.nova-pro-v1:0", aliases: ["us.amazon.nova-pro-v1:0"], since: "2024-12-03", inputUsd: 0.8, outputUsd: 3.2 },
      { model: "anthropic.claude-3-7-sonnet-20250219-v1:0", aliases: ["us.anthropic.claude-3-7-sonnet-20250219-v1:0", "eu.anthropic.claude-3-7-sonnet-20250219-v1:0"], since: "2025-02-24", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75 },
      { model: "anthropic.claude-sonnet-4-20250514-v1:0", aliases: ["us.anthropic.claude-sonnet-4-20250514-v1:0", "eu.anthropic.claude-sonnet-4-20250514-v1:0", "apac.anthropic.claude-sonnet-4-20250514-v1:0", "global.anthropic.claude-sonnet-4-20250514-v1:0"], since: "2025-05-22", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75, upToInputTokens: 200_000 },
      { model: "anthropic.claude-opus-4-1-20250805-v1:0", aliases: ["us.anthropic.claude-opus-4-1-20250805-v1:0"], since: "2025-08-05", inputUsd: 15, outputUsd: 75, cacheReadUsd: 1.5, cacheWriteUsd: 18.75 },
      { model: "anthropic.claude-sonnet-4-5-20250929-v1:0", aliases: ["global.anthropic.claude-sonnet-4-5-20250929-v1:0"], since: "2025-09-29", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75, upToInputTokens: 200_000 },
      { model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", aliases: ["eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "au.anthropic.claude-sonnet-4-5-20250929-v1:0"], since: "2025-09-29", inputUsd: 3.3, outputUsd: 16.5, cacheReadUsd: 0.33, cacheWriteUsd: 4.125, upToInputTokens: 200_000 },
      { model: "anthropic.claude-haiku-4-5-20251001-v1:0", aliases: ["global.anthropic.claude-haiku-4-5-20251001-v1:0"], since: "2025-10-15", inputUsd: 1, outputUsd: 5, cacheReadUsd: 0.1, cacheWriteUsd: 1.25 },
      { model: "us.anthropic.claude-haiku-4-5-20251001-v1:0", aliases: ["eu.anthropic.claude-haiku-4-5-20251001-v1:0", "jp.anthropic.claude-haiku-4-5-20251001-v1:0", "au.anthropic.claude-haiku-4-5-20251001-v1:0"], since: "2025-10-15", inputUsd: 1.1, outputUsd: 5.5, cacheReadUsd: 0.11, cacheWriteUsd: 1.375 },
      { model: "anthropic.claude-opus-4-5-20251101-v1:0", aliases: ["global.anthropic.claude-opus-4-5-20251101-v1:0"], since: "2025-11-24", inputUsd: 5, outputUsd: 25, cacheReadUsd: 0.5, cacheWriteUsd: 6.25 },
      { model: "us.anthropic.claude-opus-4-5-20251101-v1:0", since: "2025-11-24", inputUsd: 5.5, outputUsd: 27.5, cacheReadUsd: 0.55, cacheWriteUsd: 6.875 },
      { model: "anthropic.claude-sonnet-4-6", aliases: ["global.anthropic.claude-sonnet-4-6"], since: "2026-02-20", inputUsd: 3, outputUsd: 15, cacheReadUsd: 0.3, cacheWriteUsd: 3.75 },
      { model: "us.anthropic.claude-sonnet-4-6", aliases: ["eu.anthropic.claude-sonnet-4-6", "jp.anthropic.claude-sonnet-4-6", "au.anthropic.claude-sonnet-4-6"], since: "2026-02-20", inputUsd: 3.3, outputUsd: 16.5, cacheReadUsd: 0.33, cacheWriteUsd: 4.125 },
      { model: "anthropic.claude-sonnet-5", aliases: ["global.anthropic.claude-sonnet-5"], since: "2026-07-08", inputUsd: 2, outputUsd: 10, cacheReadUsd: 0.2, cacheWriteUsd: 2.5 },
      { model: "us.anthropic.claude-sonnet-5", aliases: ["eu.anthropic.claude-sonnet-5", "jp.anthropic.claude-sonnet-5", "au.anthropic.claude-sonnet-5"], since: "2026-07-08", inputUsd: 2.2, outputUsd: 11, cacheReadUsd: 0.22, cacheWriteUsd: 2.75 },
    ],
  },
];

/** Every name under which a listed model is found, with its prices. */
export function modelsOf({ source, providers, isFoundByNameAlone, prices }: PriceList): ModelPrices[] {
  const byModel = Map.groupBy(prices, ({ model }) => model);
  return [...byModel].map(([model, rows]) => {
    const bare = new Set([model, ...rows.flatMap(({ aliases = [] }) => aliases)]);
    const named = providers.flatMap((provider) => [...bare].map((name) => `${provider}/${name}`));
    return {
      names: isFoundByNameAlone ? [...bare, ...named] : named,
      prices: rows.map(({ model: _model, aliases: _aliases, asOf: _asOf, ...price }) => ({ ...price, source })),
    };
  });
}

export const builtInPriceBook: PriceBook = priceBookOf(priceLists.flatMap(modelsOf));
