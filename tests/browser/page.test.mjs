// The inbox page of the gateway: from the link that `serve` prints to the first notification.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import { badge, begin, button, context, inboxPage, row, shows } from './browser.mjs';
import { token } from './gateway.mjs';

const { gateway, browser } = await begin(after, 'config/bellboard.yaml');

test('a newcomer opens the printed link, pastes the printed command and sees it arrive', async (t) => {
  const page = await (await context(t, browser)).newPage();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  const link = gateway.said.find((line) => line.includes('/ui/#token=')).trim();
  await page.goto(link);
  await button(page, 'Show my inbox').click();
  await shows(page.getByText('You have no notifications.'));
  await page.evaluate(() => globalThis.loadedOnce = true);

  const said = gateway.said.join('\n');
  const command = said.slice(said.indexOf('curl -X POST')).split('\n\n', 1)[0];
  execFileSync('sh', ['-c', command]);
  await shows(row(page, 'Hello'));
  await page.waitForFunction(() => document.title === '(1) Inbox');
  assert.equal(await page.evaluate(() => globalThis.loadedOnce), true);

  // The token went nowhere but into a header, and all that was asked for is the gateway's.
  assert.equal(page.url(), `${gateway.base}/ui/`);
  for (const url of asked) assert.ok(url.startsWith(gateway.base) && !url.includes('ey'), url);
  await page.getByRole('link', { name: 'Hello' }).click();
  await page.waitForURL('**/docs/');
});

test('the page of the document works under its policy', async (t) => {
  const page = await (await context(t, browser)).newPage();
  const refused = [];
  page.on('console', (message) => /Content Security Policy/.test(message.text()) && refused.push(message.text()));
  for (const path of ['docs/', 'docs/errors']) {
    const answer = await page.goto(`${gateway.base}/${path}`);
    assert.match(answer.headers()['content-security-policy'], /frame-ancestors 'self'/);
    await shows(page.getByText(path === 'docs/' ? 'Send a notification' : 'rate_limited'));
  }
  assert.deepEqual(refused, []);
});

test('without a token the page asks for one, and again when it is not accepted', async (t) => {
  const made = await context(t, browser);
  const page = await made.newPage();
  await page.goto(`${gateway.base}/ui`);
  const field = page.getByLabel('Bearer token');
  await field.fill('nonsense');
  await button(page, 'Show my inbox').click();
  await shows(page.getByRole('alert').filter({ visible: true }));
  await field.fill(token(5, 3600, 'bellboard-development-secret-not-for-production'));
  await field.press('Enter');
  await shows(page.getByText('You have no notifications.'));
  // It is kept for this tab, and for no other.
  await page.reload();
  await shows(page.getByText('You have no notifications.'));
  const other = await made.newPage();
  await other.goto(`${gateway.base}/ui/`);
  await shows(other.getByLabel('Bearer token'));
});

test('another user\'s link in the same tab shows nothing of the first', async (t) => {
  const made = await context(t, browser);
  const secret = 'bellboard-development-secret-not-for-production';
  const send = (user, title) => fetch(`${gateway.base}/send`, {
    method: 'POST',
    headers: { 'x-api-key': 'your-secure-api-key-minimum-32-characters', 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: user, type: 'custom', title }),
  });
  await send(1, 'For Ada');
  const page = await made.newPage();
  await page.goto(`${gateway.base}/ui/#token=${token(1, 3600, secret)}`);
  await button(page, 'Show my inbox').click();
  await shows(row(page, 'For Ada'));
  await page.goto(`${gateway.base}/ui/#token=${token(2, 3600, secret)}`);
  // Anyone can make a link: the page asks before it opens another inbox, and shows none meanwhile.
  await shows(page.getByText('A link brought this token.'));
  assert.equal(await page.getByRole('article').filter({ visible: true }).count(), 0);
  await button(page, 'Show my inbox').click();
  await shows(page.getByText('You have no notifications.'));
  await send(1, 'For Ada again');
  await send(2, 'For Bruno');
  await shows(row(page, 'For Bruno'));
  assert.equal(await page.getByRole('article').count(), 1);
});
