/**
 * How the page is bundled: into `dist/web`, with addresses relative to the page and
 * nothing inline, because the server's Content-Security-Policy allows neither.
 */
import { defineConfig } from "vite";

export default defineConfig({
  root: "src/web",
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../../dist/web",
    emptyOutDir: true,
    // The browsers that know `light-dark()`, so that the colours need no second copy.
    target: ["chrome123", "firefox120", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});
