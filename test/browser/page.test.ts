/**
 * The main job as a person sees it: the command is started, a real browser opens
 * the page, figures change, an alert fires and resolves, and nothing goes wrong in
 * the console. `SCREENSHOTS=1` also takes the pictures that the docs show.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
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
  page = await browser.newPage({ viewport: laptop, colorScheme: "light" });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
});

after(async () => {
  await browser?.close();
  if (monitor) {
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
  await picture("agent-light", laptop, "light");
  await picture("agent-dark", laptop, "dark");
  await picture("agent-phone-light", phone, "light");
  await picture("agent-phone-dark", phone, "dark");
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

test("the console stayed clean", () => assert.deepEqual(problems, []));

async function picture(
  name: string,
  viewport: { width: number; height: number },
  colorScheme: "light" | "dark",
): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(pictures, { recursive: true });
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize(viewport);
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
