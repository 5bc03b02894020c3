/**
 * The main job as a person sees it: the command is started, a real browser opens
 * the page, figures change, an alert fires and resolves, and nothing goes wrong in
 * the console. What else is done with the page is done while the alert takes its
 * time. `SCREENSHOTS=1` also takes the pictures that the docs show.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";

const root = new URL("../../", import.meta.url).pathname;
const pictures = join(root, "docs/images");
const laptop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
const dataDirectory = mkdtempSync(join(tmpdir(), "browser-"));
const problems: string[] = [];
let monitor: ChildProcess;
let browser: Browser;
let page: Page;
let url = "";

before(async () => {
  assert.ok(executablePath, "there is no Chromium. On Debian: apt-get install chromium");
  const args = [
    "bin/dspy-databricks.js",
    "monitor",
    "--local",
    "--port",
    "0",
    "--data-dir",
    dataDirectory,
  ];
  monitor = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  url = await pageUrl(monitor);
  browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  page = await openPage(laptop);
  await page.goto(url);
});

/** Whatever goes wrong in the console, or what a script from outside would do, is a problem. */
async function openPage(viewport: { width: number; height: number }): Promise<Page> {
  const opened = await browser.newPage({ viewport, colorScheme: "light" });
  opened.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  opened.on("pageerror", (error) => problems.push(String(error)));
  opened.on("dialog", (dialog) => {
    problems.push(`a dialog opened: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return opened;
}

after(async () => {
  await browser?.close();
  if (monitor && monitor.exitCode === null) {
    const gone = new Promise((resolve) => monitor.once("exit", resolve));
    monitor.kill("SIGTERM");
    await gone;
  }
  rmSync(dataDirectory, { recursive: true, force: true });
});

test("three agents appear, and the page says that their telemetry is recorded", async () => {
  await page.getByTestId("agent-row").nth(2).waitFor({ timeout: 15_000 });
  assert.equal(await page.getByTestId("agent-row").count(), 3);
  assert.match((await page.getByTestId("telemetry-note").first().textContent()) ?? "", /recorded/i);
});

test("figures change without a reload", async () => {
  const requests = () =>
    page
      .getByTestId("agent-row")
      .getByTestId("requests")
      .evaluateAll((cells) => cells.map((cell) => cell.textContent).join(" "));
  const first = await requests();
  await page.waitForFunction(
    (before) =>
      Array.from(document.querySelectorAll("[data-testid=agent-row] [data-testid=requests]"))
        .map((cell) => cell.textContent)
        .join(" ") !== before,
    first,
    { timeout: 15_000 },
  );
});

for (const [name, viewport] of Object.entries({ laptop, phone })) {
  test(`nothing jumps while the page is loading, on a ${name}`, async () => {
    const loading = await openPage(viewport);
    await loading.addInitScript(watchLayoutShifts);
    // The first answer only: a list that grows with the next one is no loading.
    let answers = 0;
    await loading.route("**/api/**", (route) => (answers++ === 0 ? route.continue() : undefined));
    await loading.goto(url);
    await loading.getByTestId("agent-row").first().waitFor();
    await loading.evaluate(twoFrames);
    const shifted = await loading.evaluate(() => Number(document.documentElement.dataset.shifted));
    await loading.close();
    assert.ok(shifted < 0.02, `the layout shifted by ${shifted}`);
  });
}

test("the keyboard filters, walks the agents, shows its help and goes places", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type("triage");
  await page.waitForFunction(
    () => document.querySelectorAll("[data-testid=agent-row]").length === 1,
  );
  await page.keyboard.press("Escape");
  await page.getByTestId("agent-row").nth(2).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focusedText(), "support-rag");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  assert.equal(await focusedText(), "Errors");
});

test("a click on a column sorts the agents, a third one ends it", async () => {
  const rows = () =>
    page
      .getByTestId("agent-row")
      .evaluateAll((agents) => agents.map((agent) => agent.getAttribute("data-endpoint")));
  const usual = await rows();
  const head = page.getByRole("columnheader", { name: "Agent" });
  await head.getByRole("button").click();
  await head.getByRole("button").click();
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  assert.deepEqual(await rows(), [...usual].reverse());
  await head.getByRole("button").click();
  assert.deepEqual(await rows(), usual);
});

test("an alert fires during the bad spell, the sentence says so, and a message is sent", async () => {
  await page
    .locator('[data-testid=alert][data-state="firing"]')
    .first()
    .waitFor({ timeout: 75_000 });
  assert.match(
    (await page.getByTestId("sentence").first().textContent()) ?? "",
    /is (slow|failing|down)/,
  );
  await page.getByTestId("notification").first().waitFor({ timeout: 15_000 });
  await picture("overview-firing-light", laptop, "light");
  await picture("overview-firing-dark", laptop, "dark");
  await picture("overview-firing-phone-light", phone, "light");
  await picture("overview-firing-phone-dark", phone, "dark");
});

test("an agent's own view shows its modules, tokens and charts", async () => {
  await page.locator("[data-testid=agent-row]").filter({ hasText: "support-rag" }).first().click();
  await page
    .locator('[data-testid=module-row][data-path="self.generate.predict"]')
    .first()
    .waitFor();
  assert.ok((await page.locator("canvas").count()) >= 3);
  // In the picture the charts show more of the bad spell than its first seconds.
  if (process.env.SCREENSHOTS) await page.waitForTimeout(12_000);
  await picture("agent-light", laptop, "light");
  await picture("agent-dark", laptop, "dark");
  await picture("agent-phone-light", phone, "light");
  await picture("agent-phone-dark", phone, "dark");
});

test("a chart opens large, with its figures and its query, at an address of its own", async () => {
  await page.getByTestId("chart-latency").getByRole("link").click();
  const large = page.getByTestId("chart-large");
  await large.waitFor();
  assert.match(page.url(), /#\/agents\/support-rag\?range=5m&chart=latency$/);
  assert.ok((await large.locator("tbody tr").count()) > 10);

  const metrics = await (await fetch(`${url}/metrics`)).text();
  for (const chart of ["latency", "traffic", "errors", "tokens", "cost"]) {
    await page.goto(`${url}/#/agents/support-rag?range=5m&chart=${chart}`);
    await page.locator(`[data-testid=chart-large][data-chart=${chart}]`).waitFor();
    const queries = await large.locator(".command code").allTextContents();
    assert.notEqual(queries.length, 0);
    for (const name of queries.join(" ").match(/dspy_\w+/g) ?? []) {
      assert.ok(metrics.includes(`${name}{endpoint="support-rag"`), `/metrics has no ${name}`);
    }
  }
  await page.goto(`${url}/#/agents/support-rag?range=5m&chart=latency`);
  await page.locator("[data-testid=chart-large][data-chart=latency]").waitFor();
  await picture("chart-light", laptop, "light");
  await page.keyboard.press("Escape");
  await large.waitFor({ state: "detached" });
  assert.match(page.url(), /#\/agents\/support-rag\?range=5m$/);
});

test("a link shows the range that its sender saw", async () => {
  await page.goto(`${url}/#/agents/order-agent?range=1h`);
  await page.getByRole("heading", { name: "order-agent" }).waitFor();
  const range = page.getByRole("navigation", { name: "Time range" });
  assert.equal(await range.locator("[aria-current]").textContent(), "1h");
});

test("the alert resolves by itself", async () => {
  await page.goto(`${url}/#/`);
  await page
    .getByText(/support-rag is no longer slow/)
    .first()
    .waitFor({ timeout: 75_000 });
  assert.equal(await page.locator('[data-testid=alert][data-state="firing"]').count(), 0);
  await picture("overview-resolved-light", laptop, "light");
});

test("a month is told by the history, and says as of when", async () => {
  await page.goto(`${url}/#/agents/support-rag?range=30d`);
  await page.getByTestId("figures-note").filter({ hasText: "as of" }).waitFor({ timeout: 75_000 });
  assert.ok(Number(await page.getByTestId("requests").first().getAttribute("value")) > 0);
  assert.ok((await page.getByTestId("module-row").count()) > 3);
  await page.goto(`${url}/#/?range=7d`);
  await page.getByTestId("figures-note").filter({ hasText: "They go back to" }).waitFor();
  assert.ok((await page.getByTestId("agent-row").count()) >= 3);
});

test("names and messages that are markup, endless or turned around stay text within the page", async () => {
  const plain = ["<img src=x onerror=alert(1)>", "x".repeat(200)];
  await postFailures([...plain, "\u202Eevil\u202C وكيل"]);
  // The monitor keeps no characters that turn the direction of the text.
  const names = [...plain, "evil  وكيل"];
  const small = await openPage(phone);
  for (const name of ["Overview", ...names]) {
    const hash = name === "Overview" ? "#/" : `#/agents/${encodeURIComponent(name)}`;
    await small.goto(`${url}/${hash}`);
    await small.locator("h1").filter({ hasText: name }).waitFor({ state: "attached" });
    await small.getByTestId("error-group").filter({ hasText: "<b>bold</b>" }).first().waitFor();
    const widthPx = await small.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(widthPx <= phone.width, `${hash} is ${widthPx} px wide`);
  }
  await small.close();
});

test("the console stayed clean", () => assert.deepEqual(problems, []));

test("a monitor that is gone is said to be gone, and not healthy", async () => {
  const gone = new Promise((resolve) => monitor.once("exit", resolve));
  monitor.kill("SIGTERM");
  await gone;
  await page.getByTestId("no-answer").waitFor();
  const sentence = page.getByTestId("sentence").first();
  assert.equal(await sentence.getAttribute("data-status"), "unknown");
  assert.match((await sentence.textContent()) ?? "", /has not answered since .* Last known/);
  assert.match(await page.title(), /^The monitor has not answered/);
});

/** Keeps the sum of what moved at the root, where the test reads it. */
function watchLayoutShifts(): void {
  type LayoutShift = PerformanceEntry & { readonly value: number };
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) sum += (entry as LayoutShift).value;
    document.documentElement.dataset.shifted = String(sum);
  }).observe({ type: "layout-shift", buffered: true });
  addEventListener("DOMContentLoaded", () => {
    document.documentElement.dataset.shifted ??= "0";
  });
}

function twoFrames(): Promise<void> {
  return new Promise((resolve) =>
    requestAnimationFrame(() => requestAnimationFrame(() => resolve())),
  );
}

function focusedText(): Promise<string | null | undefined> {
  return page.evaluate(() => document.activeElement?.textContent);
}

/** One failed request of each agent, as our callback would tell it. */
async function postFailures(names: readonly string[]): Promise<void> {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const message = `<b>bold</b> ${"a line of a traceback\n".repeat(40)}`;
  const endMs = Date.now() - 1000;
  const nano = (timeMs: number) => `${timeMs}000000`;
  const resourceSpans = names.map((name) => ({
    resource: { attributes: [text("service.name", name)] },
    scopeSpans: [
      {
        spans: [
          {
            traceId: randomBytes(16).toString("hex"),
            spanId: randomBytes(8).toString("hex"),
            name,
            startTimeUnixNano: nano(endMs - 400),
            endTimeUnixNano: nano(endMs),
            attributes: [
              text("dspy.kind", "module"),
              text("dspy.module.path", `self.${"deeply.".repeat(20)}nested`),
            ],
            events: [
              {
                name: "exception",
                timeUnixNano: nano(endMs),
                attributes: [
                  text("exception.type", `${"a.long.package.".repeat(6)}VeryLongNamedError`),
                  text("exception.message", message),
                ],
              },
            ],
            status: { code: 2, message },
          },
        ],
      },
    ],
  }));
  const answer = await fetch(`${url}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceSpans }),
  });
  assert.equal(answer.status, 200);
}

async function picture(
  name: string,
  viewport: { width: number; height: number },
  colorScheme: "light" | "dark",
): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(pictures, { recursive: true });
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize(viewport);
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(laptop);
}

function pageUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (chunk) => {
      said += chunk;
      const found = /Page\s+(http:\S+)/.exec(said)?.[1];
      if (found) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`the monitor ended with ${code}:\n${said}`)));
  });
}
