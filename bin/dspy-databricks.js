#!/usr/bin/env node
// Starts the command: from its sources in a checkout, compiled in the package.
import { existsSync } from "node:fs";

const [major, minor] = process.versions.node.split(".").map(Number);
const sources = new URL("../src/cli/main.ts", import.meta.url);
const inCheckout = existsSync(sources);
const neededMinor = inCheckout ? 18 : 13;

if (major < 22 || (major === 22 && minor < neededMinor)) {
  console.error(
    `dspy-databricks needs Node 22.${neededMinor} or newer; this is Node ${process.versions.node}.\n` +
      "  Hint: install a newer Node, or in a checkout use npm start, which brings its own.",
  );
  process.exit(2);
}
await import(inCheckout ? sources.href : new URL("../dist/cli/main.js", import.meta.url).href);
