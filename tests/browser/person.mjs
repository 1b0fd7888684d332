// A person at a browser: Chromium, driven by Playwright, with an eye on what a
// person does not see: violations of the pages' policy, errors of scripts,
// requests to anywhere else, and the findings of axe-core.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../..");
const require = createRequire(path.join(root, "build/deps/browser/"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const DESK = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };
// WCAG 2.2 A and AA, and what axe-core's authors hold for good practice.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const LIMIT_MS = 30000;
// Answers that a test asks for, and what Chromium says of any page without TLS.
const EXPECTED = /status of 40[134]|Cross-Origin-Opener-Policy header has been ignored/;

// What the test that runs this has set up, e.g. {web: "http://...", ...}.
export const setting = JSON.parse(process.env.BROWSER_TEST ?? "{}");
const started = Date.now();

export function told(sentence) {
  console.log(`[${((Date.now() - started) / 1000).toFixed(1)} s] ${sentence}`);
}

export async function browser(options = []) {
  return chromium.launch({
    executablePath: process.env.BROWSER ?? "/usr/bin/chromium-headless-shell",
    args: ["--no-sandbox", "--disable-gpu", ...options],
  });
}

export class Person {
  // size: DESK or PHONE; options: Playwright's, e.g. {colorScheme: "dark"}.
  static async sitDown(chrome, size = DESK, options = {}) {
    const person = new Person();
    person.context = await chrome.newContext({
      viewport: size, baseURL: setting.web, hasTouch: size === PHONE,
      timezoneId: "Europe/Berlin", locale: "en-GB", ...options,
    });
    person.context.setDefaultTimeout(LIMIT_MS);
    person.wrong = [];
    person.elsewhere = [];
    const host = new URL(setting.web).host;
    person.context.on("request", (request) => {
      const url = request.url();
      if (/^https?:/.test(url) && new URL(url).host !== host) person.elsewhere.push(url);
    });
    person.context.on("console", (message) => {
      if (message.type() === "error" && !EXPECTED.test(message.text()))
        person.wrong.push(`${message.location().url}: ${message.text()}`);
    });
    person.context.on("weberror", (error) => person.wrong.push(String(error.error())));
    person.page = await person.context.newPage();
    person.size = size;
    return person;
  }

  async logIn(user, password = `${user}-demo`) {
    const { page } = this;
    await page.goto("/login");
    await page.getByLabel("User name").fill(user);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Inbox" }).waitFor();
  }

  // The page as it is now, for README and for people to look at.
  async picture(name) {
    if (!setting.screens) return;
    const { width, height } = this.size;
    await this.page.screenshot({
      path: path.join(setting.screens, `webmail-${name}.png`),
      clip: { x: 0, y: 0, width, height: Math.min(height, 640) },
    });
  }

  // Nobody is kept out, and nothing is wider than the screen.
  async examine(what) {
    const session = await this.context.newCDPSession(this.page);
    await session.send("Runtime.evaluate", { expression: axe });
    await session.detach();
    const found = await this.page.evaluate(async (rules) => {
      const result = await globalThis.axe.run(document, {
        runOnly: rules, iframes: false,
      });
      return result.violations.map((each) =>
        `${each.id}: ${each.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
    }, RULES);
    assert.deepEqual(found, [], `axe-core on ${what}`);
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= this.size.width, `${what} is ${wide} pixels wide`);
    told(`${what}: axe-core finds nothing`);
  }

  // At the end: nothing was wrong that a person does not see.
  async leave() {
    await this.context.close();
    assert.deepEqual(this.wrong, [], "errors and violations of the policy");
    assert.deepEqual(this.elsewhere, [], "requests to elsewhere");
  }
}

// Runs one test with a browser of its own.
export async function run(test) {
  const chrome = await browser();
  try {
    await test(chrome);
    told("done");
  } catch (error) {
    for (const context of chrome.contexts())
      for (const page of context.pages())
        told(`${page.url()} shows:\n${(await page.locator("body").innerText()).slice(0, 1500)}`);
    throw error;
  } finally {
    await chrome.close();
  }
}

export { assert };
