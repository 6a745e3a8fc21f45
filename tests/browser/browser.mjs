// A real browser, pages that embed the component, and what tests look for in them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Gateway, root, token } from './gateway.mjs';

export const modules = process.env.BELLBOARD_TEST_UI_MODULES ?? join(root, 'ui/node_modules');
const require = createRequire(join(modules, 'x'));
const { chromium } = require('playwright-core');
const axe = require('axe-core').source;

/** Where pictures go, when they are asked for. */
const pictures = process.env.BELLBOARD_SCREENSHOTS;

/** A gateway and a browser for the tests of one file; `after` ends both. */
export async function begin(after, config) {
  const gateway = await Gateway.start(config);
  const args = process.getuid() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: process.env.BELLBOARD_TEST_CHROMIUM ?? '/usr/bin/chromium', args });
  after(async () => {
    await browser.close();
    await gateway.stop();
  });
  return { gateway, browser };
}

/** A context of its own for a test: what goes wrong in its pages fails the test. */
export async function context(t, browser, options) {
  const made = await browser.newContext(options);
  made.setDefaultTimeout(15_000);
  const faults = [];
  made.on('weberror', (error) => faults.push(String(error.error())));
  made.on('console', (message) => {
    // A refused request is told there too; whether it should be refused is the test's business.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  t.after(async () => {
    await made.close();
    assert.deepEqual(faults, []);
  });
  return made;
}

/** Opens the gateway's own page as a user. */
export async function inboxPage(made, gateway, user) {
  const page = await made.newPage();
  await page.goto(`${gateway.base}/ui/#token=${token(user)}`);
  // What a link brought is taken once the reader says so.
  await button(page, 'Show my inbox').click();
  return page;
}

/** Opens a page of the gateway's origin that embeds the component; the script gets it as `inbox`. */
export async function hostPage(made, gateway, { script, attributes = '', lang = 'en', dir = 'ltr', head = '', page }) {
  const url = `${gateway.origin}/host`;
  await made.route(url, (route) => route.fulfill({
    contentType: 'text/html; charset=utf-8',
    body: `<!DOCTYPE html><html lang="${lang}" dir="${dir}"><head><title>Host</title>
      <style>:root { color-scheme: light dark; font-family: system-ui, sans-serif } body { background: Canvas } nav { display: flex; gap: 1rem; align-items: center }</style>${head}</head>
      <body><nav aria-label="Main"><strong>CRM</strong><a id="before" href="#before">Customers</a><span style="flex: 1"></span>
      <bellboard-inbox ${attributes}></bellboard-inbox><a id="after" href="#after">Sign out</a></nav>
      <main><h1>Customers</h1></main><script type="module">
      import '/crm/notification/ui/inbox.js';
      const inbox = document.querySelector('bellboard-inbox');
      ${script}</script></body></html>`,
  }));
  page ??= await made.newPage();
  await page.goto(url);
  return page;
}

/** Holds requests that match until it is told what becomes of them. */
export async function hold(made, pattern) {
  let tell;
  const told = new Promise((done) => tell = done);
  await made.route(pattern, async (route) => (await told)(route));
  return tell;
}

/** The script of a page whose user has that token. */
export const as = (user) => `inbox.token = ${JSON.stringify(token(user))};`;

export const bell = (page) => page.getByRole('button', { name: /^Notifications, / });
export const row = (page, title) => page.getByRole('article', { name: title });
export const rows = (page) => page.getByRole('article');
export const button = (page, name) => page.getByRole('button', { name });

/** Waits until the badge says it; nothing is no badge. */
export async function badge(page, text) {
  const badge = page.locator('bellboard-inbox [part=badge]');
  if (text === '') await badge.waitFor({ state: 'hidden' });
  else await badge.filter({ hasText: new RegExp(`^${text.replace('+', '\\+')}$`) }).waitFor();
}

export const shows = (locator) => locator.first().waitFor();
export const gone = (locator) => locator.first().waitFor({ state: 'detached' });

/** The titles in the list, from the top. */
export const titles = (page) => page.locator('bellboard-inbox [part=title]').allTextContents();

/** Waits until the titles are these. */
export async function lists(page, expected) {
  await page.waitForFunction((wanted) => {
    const found = [...document.querySelector('bellboard-inbox').shadowRoot.querySelectorAll('[part=title]')];
    return JSON.stringify(found.map((title) => title.textContent)) === wanted;
  }, JSON.stringify(expected)).catch(async () => assert.deepEqual(await titles(page), expected));
}

/** What axe finds wrong by WCAG 2.2 AA and its own best practices. */
export async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html + node.failureSummary).join('\n')}`);
}

/** Takes a picture for the documentation, when one is asked for. */
export async function picture(page, name) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });
}
