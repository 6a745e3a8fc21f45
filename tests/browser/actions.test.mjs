// What a reader does: shown at once, done on the gateway, and taken back where that fails.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  as, badge, begin, bell, button, context, gone, hold, hostPage, inboxPage, lists, row, rows, shows, titles,
} from './browser.mjs';
import { Gateway, token, until } from './gateway.mjs';

const { gateway, browser } = await begin(after);

test('deleting takes away at once, and undo brings back', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 3);
  const page = await inboxPage(await context(t, browser), gateway, user);
  await button(page, 'Delete: Notification 2').click();
  await lists(page, ['Notification 3', 'Notification 1']);
  await shows(page.getByText('Deleted: Notification 2'));
  await button(page, 'Undo').click();
  await lists(page, ['Notification 3', 'Notification 2', 'Notification 1']);
  await button(page, 'Undo').waitFor({ state: 'hidden' });
  // It is shown before the gateway has answered.
  await until(async () => (await gateway.list(user)).notifications.length === 3);
  assert.equal((await gateway.list(user)).unread_count, 3);
});

for (const time of ['0s', '4s']) {
  test(`undo is offered no longer than a gateway that restores for ${time} can do it`, async (t) => {
    const other = await Gateway.start(undefined, [], `inbox: {restore_time: ${time}}`);
    t.after(() => other.stop());
    const user = other.user();
    await other.fill(user, 1);
    const page = await inboxPage(await context(t, browser), other, user);
    await button(page, 'Delete: Notification 1').click();
    await shows(page.getByText('You have no notifications.'));
    if (time !== '0s') await shows(button(page, 'Undo'));
    await button(page, 'Undo').waitFor({ state: 'hidden' });
  });
}

test('several deletes are undone one after the other, and closing the tab changes nothing', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 3);
  const made = await context(t, browser);
  const page = await inboxPage(made, gateway, user);
  for (const n of [1, 2, 3]) await button(page, `Delete: Notification ${n}`).click();
  await shows(page.getByText('You have no notifications.'));
  await button(page, 'Undo').click();
  await lists(page, ['Notification 3']);
  await button(page, 'Undo').click();
  await lists(page, ['Notification 3', 'Notification 2']);
  await until(async () => (await gateway.list(user)).notifications.length === 2);
  await made.close();
  assert.deepEqual((await gateway.list(user)).notifications.map((n) => n.title), ['Notification 3', 'Notification 2']);
});

test('an action that fails is rolled back, and what came meanwhile stays', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 2);
  const made = await context(t, browser);
  const page = await inboxPage(made, gateway, user);
  await shows(row(page, 'Notification 1'));
  await page.evaluate(() => {
    globalThis.failures = [];
    addEventListener('bellboard-failure', (event) => failures.push(event.detail.action));
  });

  const marked = await hold(made, '**/mark-read');
  await button(page, 'Mark as read: Notification 1').click();
  await shows(button(page, 'Mark as unread: Notification 1'));
  await page.waitForFunction(() => document.title === '(1) Inbox');
  await gateway.send(user, 'Meanwhile');
  await shows(row(page, 'Meanwhile'));
  marked((route) => route.abort());
  await shows(button(page, 'Mark as read: Notification 1'));
  await shows(page.getByText('That did not work'));
  await page.waitForFunction(() => document.title === '(3) Inbox');

  const deleted = await hold(made, /\/notification\/\d+$/);
  await button(page, 'Delete: Notification 2').click();
  await lists(page, ['Meanwhile', 'Notification 1']);
  deleted((route) => route.fulfill({ status: 500, json: { reason: 'no' } }));
  await lists(page, ['Meanwhile', 'Notification 2', 'Notification 1']);
  await button(page, 'Undo').waitFor({ state: 'hidden' });
  assert.deepEqual(await page.evaluate(() => failures), ['read', 'delete']);
});

test('a gateway that is busy for a moment is asked again when it says', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 1);
  const made = await context(t, browser);
  const page = await inboxPage(made, gateway, user);
  let asked = 0;
  await made.route('**/mark-read', (route) =>
    ++asked > 1 ? route.continue() : route.fulfill({ status: 503, headers: { 'retry-after': '1' }, json: {} }));
  await button(page, 'Mark as read: Notification 1').click();
  await page.waitForFunction(() => document.title === 'Inbox');
  await page.waitForResponse((answer) => answer.url().endsWith('/mark-read') && answer.ok());
  assert.deepEqual([asked, (await gateway.list(user)).unread_count], [2, 0]);
});

test('marking all marks what was seen, and not what arrives meanwhile', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 25);
  const made = await context(t, browser);
  const page = await inboxPage(made, gateway, user);
  await shows(row(page, 'Notification 25'));
  const all = await hold(made, '**/mark-all-read');
  await button(page, 'Mark all read').click();
  await page.waitForFunction(() => document.title === 'Inbox');
  await gateway.send(user, 'Not seen');
  await shows(row(page, 'Not seen'));
  all((route) => route.continue());
  await page.waitForResponse('**/mark-all-read');
  await page.waitForFunction(() => document.title === '(1) Inbox');
  assert.equal((await gateway.list(user)).unread_count, 1);
});

test('the unread filter shows those alone, and follows what is read and unread', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 3);
  const first = (await gateway.list(user)).notifications[2].notification_id;
  const page = await inboxPage(await context(t, browser), gateway, user);
  await button(page, 'Mark as read: Notification 2').click();
  await button(page, 'Unread only').click();
  await lists(page, ['Notification 3', 'Notification 1']);
  await gateway.elsewhere(user, 'POST', `/${first}/mark-read`);
  await lists(page, ['Notification 3']);
  await gateway.elsewhere(user, 'POST', `/${first}/mark-unread`);
  await lists(page, ['Notification 3', 'Notification 1']);
  await gateway.elsewhere(user, 'POST', '/mark-all-read');
  await shows(page.getByText('You have read everything.'));
  await gateway.send(user, 'Fresh');
  await lists(page, ['Fresh']);
  await button(page, 'Unread only').click();
  await lists(page, ['Fresh', 'Notification 3', 'Notification 2', 'Notification 1']);
});

test('a filter that could not be changed leaves no hole in the list', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 50);
  const { notifications } = await gateway.list(user);
  for (const one of notifications.slice(0, 5)) await gateway.elsewhere(user, 'POST', `/${one.notification_id}/mark-read`);
  const made = await context(t, browser);
  const page = await hostPage(made, gateway, { script: as(user) });
  await badge(page, '45');
  const client = (ask) => page.evaluate(`(({ client }) => ${ask})(document.querySelector('bellboard-inbox'))`);
  await client('client.showUnreadOnly(true)');
  const first = (url) => url.pathname.endsWith('/notification/') && !url.searchParams.has('cursor');
  await made.route(first, (route) => route.fulfill({ status: 500, json: {} }));
  await client('client.showUnreadOnly(false)');
  await client('client.loadMore()');
  assert.equal(await client('client.state.phase'), 'failed');
  await made.unroute(first);
  await client('client.load()');
  while (await client('client.state.more')) await client('client.loadMore()');
  const ids = await client('client.state.items.map((one) => one.notification_id)');
  assert.deepEqual(ids, notifications.map((one) => one.notification_id));
});

test('a reader who goes very far down the list stays there', async (t) => {
  const user = gateway.user();
  await gateway.flood(user, 2_100);
  const page = await hostPage(await context(t, browser), gateway, {
    script: `const { InboxClient } = await import('/crm/notification/ui/inbox.js');
      globalThis.client = new InboxClient({ token: ${JSON.stringify(token(user))}, pageSize: 200 });`,
  });
  await page.waitForFunction(() => globalThis.client);
  await page.evaluate(async () => {
    client.start();
    await client.load();
    while (client.state.more) await client.loadMore();
  });
  // A stream that opens only after the arrival cannot tell of it, and the list is loaded anew, a page of it.
  await page.waitForFunction(() => client.state.connection === 'live');
  await gateway.send(user, 'Arrived');
  await page.waitForFunction(() => client.state.items[0].title === 'Arrived');
  assert.equal(await page.evaluate(() => client.state.items.length), 2_101);
});

test('the list goes on as it is scrolled, to its end and with nothing twice', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 65);
  const page = await hostPage(await context(t, browser), gateway, { script: as(user) });
  await badge(page, '65');
  await bell(page).click();
  await shows(row(page, 'Notification 65'));
  assert.ok(await rows(page).count() < 65);
  for (let last = 0; last < 65;) {
    await rows(page).last().scrollIntoViewIfNeeded();
    await page.waitForFunction((n) => document.querySelector('bellboard-inbox').client.state.items.length > n, last);
    last = await rows(page).count();
  }
  assert.deepEqual(await titles(page), Array.from({ length: 65 }, (_, n) => `Notification ${65 - n}`));
  await button(page, 'Load more').waitFor({ state: 'hidden' });
});

test('a list that becomes short goes on by itself', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 30);
  const page = await inboxPage(await context(t, browser), gateway, user);
  await button(page, 'Unread only').click();
  await shows(row(page, 'Notification 11'));
  const { notifications } = await gateway.list(user);
  for (const one of notifications.slice(0, 20)) await gateway.elsewhere(user, 'POST', `/${one.notification_id}/mark-read`);
  await lists(page, notifications.slice(20).map((one) => one.title));
});

test('a link is followed and marks what it belongs to, unless the page takes it over', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'To the docs', { link: '/crm/notification/docs/' });
  await gateway.send(user, 'Taken over', { link: '/customers/7' });
  const made = await context(t, browser);
  const page = await hostPage(made, gateway, {
    script: `${as(user)} inbox.addEventListener('bellboard-follow', (event) => {
      const { link } = event.detail.notification;
      if (!link.startsWith('/customers')) return;
      event.preventDefault();
      globalThis.routed = link;
    });`,
  });
  await bell(page).click();
  await page.getByRole('link', { name: 'Taken over' }).click();
  await badge(page, '1');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => globalThis.routed), '/customers/7');
  await bell(page).click();
  await page.getByRole('link', { name: 'To the docs' }).click();
  await page.waitForURL('**/docs/');
  const back = await inboxPage(made, gateway, user);
  await shows(button(back, 'Mark as unread: To the docs'));
});

test('a link that is followed marks at once, whatever else is under way', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Slow');
  const id = await gateway.send(user, 'Followed', { link: '/customers/7' });
  const made = await context(t, browser);
  const page = await hostPage(made, gateway, {
    script: `${as(user)} inbox.open(); inbox.addEventListener('bellboard-follow', (event) => event.preventDefault());`,
  });
  await shows(row(page, 'Slow'));
  const slow = await hold(made, (url) => url.pathname.endsWith('/mark-read') && !url.pathname.endsWith(`/${id}/mark-read`));
  await button(page, 'Mark as read: Slow').click();
  const marked = page.waitForResponse(`**/${id}/mark-read`);
  await page.getByRole('link', { name: 'Followed' }).click();
  await marked;
  assert.equal((await gateway.list(user)).unread_count, 1);
  slow((route) => route.continue());
  await until(async () => (await gateway.list(user)).unread_count === 0);
});

test('a dropdown that was taken out of the page while it was open is closed when it is back', async (t) => {
  const user = gateway.user();
  const page = await hostPage(await context(t, browser), gateway, {
    script: `globalThis.toggled = [];
      inbox.addEventListener('bellboard-toggle', ({ detail }) => toggled.push(detail.open));
      ${as(user)}`,
  });
  await bell(page).click();
  await page.waitForFunction(() => toggled.length === 1);
  await page.evaluate(() => {
    const inbox = document.querySelector('bellboard-inbox');
    const { parentNode, nextSibling } = inbox;
    inbox.remove();
    parentNode.insertBefore(inbox, nextSibling);
  });
  assert.equal(await bell(page).getAttribute('aria-expanded'), 'false');
  assert.deepEqual(await page.evaluate(() => toggled), [true, false]);
  await bell(page).click();
  await page.waitForFunction(() => toggled.length === 3);
  await shows(page.getByRole('dialog'));
  assert.equal(await bell(page).getAttribute('aria-expanded'), 'true');
});

test('a page that gives no token is asked again by one, and not once it has stopped', async (t) => {
  const made = await context(t, browser);
  // Waits end when the test says so.
  await made.addInitScript(() => {
    globalThis.waits = [];
    const real = AbortSignal.timeout;
    AbortSignal.timeout = (ms) => {
      if (ms !== 10_000) return real.call(AbortSignal, ms);
      const wait = new AbortController();
      waits.push(wait);
      return wait.signal;
    };
    globalThis.endWaits = () => waits.splice(0).forEach((wait) => wait.abort());
  });
  const page = await hostPage(made, gateway, {
    script: `globalThis.asked = 0;
      inbox.token = () => { asked++; throw new Error('signed out'); };
      globalThis.client = inbox.client;`,
  });
  await page.waitForFunction(() => waits.length === 1);
  for (let n = 2; n <= 4; n++) {
    await page.evaluate(() => client.retry());
    await page.waitForFunction((count) => waits.length === count, n);
  }
  assert.equal(await page.evaluate(() => asked), 4);
  await page.evaluate(() => endWaits());
  await page.waitForFunction(() => asked === 5 && waits.length > 0);
  assert.equal(await page.evaluate(() => new Promise((done) => setTimeout(() => done(waits.length)))), 1);
  await page.evaluate(() => client.stop());
  await page.evaluate(() => endWaits());
  assert.deepEqual(await page.evaluate(() => new Promise((done) => setTimeout(() => done([asked, waits.length])))), [5, 0]);
});

test('a token that has expired is asked for anew, once, and nobody notices', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Hello');
  const page = await hostPage(await context(t, browser), gateway, {
    script: `globalThis.asked = [];
      inbox.token = async ({ refresh }) => {
        asked.push(refresh);
        return refresh ? ${JSON.stringify(token(user))} : ${JSON.stringify(token(user, -600))};
      };
      inbox.open();`,
  });
  await lists(page, ['Hello']);
  await badge(page, '1');
  assert.deepEqual(await page.evaluate(() => asked), [false, true]);
});

for (const [name, more] of [
  ['says more or less', { uti: 'other', roles: [] }],
  ['names the user by other claims', { iss: 'https://other.example' }],
]) {
  test(`a new token that ${name} is no other user's`, async (t) => {
    const user = gateway.user();
    await gateway.fill(user, 2);
    const made = await context(t, browser);
    const page = await hostPage(made, gateway, {
      script: `globalThis.failures = [];
        inbox.addEventListener('bellboard-failure', ({ detail }) => failures.push(String(detail.error)));
        inbox.token = ({ refresh }) => refresh
          ? ${JSON.stringify(token(user, 3600, undefined, more))}
          : ${JSON.stringify(token(user, 3600, undefined, { uti: 'first' }))};
        inbox.open();`,
    });
    await lists(page, ['Notification 2', 'Notification 1']);
    let refused = 0;
    await made.route('**/mark-read', (route) => refused++ ? route.continue() : route.fulfill({ status: 401, json: {} }));
    await button(page, 'Mark as read: Notification 1').click();
    await page.waitForResponse((answer) => answer.url().endsWith('/mark-read') && answer.ok());
    assert.equal((await gateway.list(user)).unread_count, 1);
    assert.deepEqual(await page.evaluate(() => failures), []);
    await lists(page, ['Notification 2', 'Notification 1']);
  });
}

test('when no token is accepted the page is told, and a new one goes on', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Hello');
  const page = await hostPage(await context(t, browser), gateway, {
    script: `inbox.addEventListener('bellboard-unauthorized', () => globalThis.unauthorized = true);
      inbox.token = ${JSON.stringify(token(user, -600))};`,
  });
  await page.waitForFunction(() => globalThis.unauthorized);
  await bell(page).click();
  await shows(page.getByText('Your session has ended.'));
  await page.evaluate((fresh) => document.querySelector('bellboard-inbox').token = fresh, token(user));
  await lists(page, ['Hello']);
  await page.getByText('Your session has ended.').waitFor({ state: 'hidden' });
});

test('without a token any more, as after signing out, nothing is left to see', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Private');
  const page = await hostPage(await context(t, browser), gateway, { script: `${as(user)} inbox.open();` });
  await lists(page, ['Private']);
  await page.evaluate(() => document.querySelector('bellboard-inbox').token = undefined);
  await lists(page, []);
  await badge(page, '');
});

test('a token of another user shows nothing of the first and does nothing for them', async (t) => {
  const [ada, bruno] = [gateway.user(), gateway.user()];
  await gateway.send(ada, 'For Ada');
  await gateway.send(bruno, 'For Bruno');
  const page = await hostPage(await context(t, browser), gateway, {
    script: `${as(ada).replace('inbox.token =', 'globalThis.held =')}
      inbox.token = ({ refresh }) => refresh ? ${JSON.stringify(token(bruno))} : held;
      inbox.open();`,
  });
  await lists(page, ['For Ada']);
  await page.context().route('**/mark-all-read', async (route) => {
    const refused = route.request().headers().authorization.includes(await page.evaluate(() => held));
    return refused ? route.fulfill({ status: 401, json: {} }) : route.continue();
  });
  await button(page, 'Mark all read').click();
  await lists(page, ['For Bruno']);
  assert.equal((await gateway.list(bruno)).unread_count, 1);
  assert.equal((await gateway.list(ada)).unread_count, 1);
  await gone(row(page, 'For Ada'));
});
