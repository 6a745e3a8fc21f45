// What happens elsewhere is seen at once, in every tab, and a connection that is lost loses nothing.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  as, badge, begin, bell, button, context, gone, hold, hostPage, inboxPage, lists, row, rows, shows,
} from './browser.mjs';
import { ACME, token } from './gateway.mjs';

const { gateway, browser } = await begin(after);

/** Tells how many streams a page has opened, and with which headers. */
function streams(page) {
  const seen = [];
  page.on('request', (request) => request.url().endsWith('/stream') && seen.push(request.headers()));
  return seen;
}

test('what is sent appears in the list and the badge with no reload', async (t) => {
  const user = gateway.user();
  const page = await hostPage(await context(t, browser), gateway, { script: as(user) });
  await badge(page, '');
  await gateway.send(user, 'First');
  await badge(page, '1');
  await bell(page).click();
  await lists(page, ['First']);
  const second = await gateway.send(user, 'Second');
  await lists(page, ['Second', 'First']);
  await gateway.elsewhere(user, 'POST', `/${second}/mark-read`);
  await badge(page, '1');
  await shows(button(page, 'Mark as unread: Second'));
  await gateway.elsewhere(user, 'POST', `/${second}/mark-unread`);
  await badge(page, '2');
  await gateway.elsewhere(user, 'DELETE', `/${second}`);
  await lists(page, ['First']);
  await gateway.elsewhere(user, 'POST', '/mark-all-read');
  await badge(page, '');
});

test('two tabs share one stream, and each shows what is done in the other', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Seen by both');
  const made = await context(t, browser);
  const one = await inboxPage(made, gateway, user);
  await shows(row(one, 'Seen by both'));
  const two = await made.newPage();
  const opened = streams(two);
  await two.goto(one.url());
  await two.evaluate((kept) => sessionStorage.setItem('bellboard-token', kept), await one.evaluate(() => sessionStorage.getItem('bellboard-token')));
  await two.reload();
  await shows(row(two, 'Seen by both'));
  await button(two, 'Mark as read: Seen by both').click();
  await shows(button(one, 'Mark as unread: Seen by both'));
  await gateway.send(user, 'New');
  await Promise.all([one, two].map((page) => shows(row(page, 'New'))));
  assert.equal(opened.length, 0);
});

test('users of the same number in two tenants share nothing', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  const home = await inboxPage(made, gateway, user);
  const acme = await made.newPage();
  await acme.goto(`${gateway.base}/ui/#token=${token(user, 3600, ACME.secret)}`);
  await button(acme, 'Show my inbox').click();
  await gateway.send(user, 'For the one');
  await gateway.send(user, 'For the other', {}, ACME.key);
  await lists(home, ['For the one']);
  await lists(acme, ['For the other']);
  await button(home, 'Mark as read: For the one').click();
  await shows(button(home, 'Mark as unread: For the one'));
  await lists(acme, ['For the other']);
  await shows(button(acme, 'Mark as read: For the other'));
});

test('a token of the same number in another tenant takes over nothing', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Of the one');
  const made = await context(t, browser);
  const page = await hostPage(made, gateway, {
    script: `globalThis.failures = [];
      inbox.addEventListener('bellboard-failure', ({ detail }) => failures.push(String(detail.error)));
      inbox.token = ({ refresh }) => refresh
        ? ${JSON.stringify(token(user, 3600, ACME.secret))} : ${JSON.stringify(token(user))};
      inbox.open();`,
  });
  await lists(page, ['Of the one']);
  const marked = [];
  await made.route('**/mark-read', (route) => marked.push(route.request().headers().authorization) && route.fulfill({ status: 401, json: {} }));
  await button(page, 'Mark as read: Of the one').click();
  await shows(page.getByText('You have no notifications.'));
  assert.equal(marked.length, 1, 'the retry does not go out as the other');
});

test('when the leading tab closes, the next goes on where it was', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  const leading = await inboxPage(made, gateway, user);
  await shows(leading.getByText('You have no notifications.'));
  await gateway.send(user, 'To the first');
  await shows(row(leading, 'To the first'));
  const next = await inboxPage(made, gateway, user);
  const opened = streams(next);
  await shows(row(next, 'To the first'));
  await leading.close();
  await gateway.send(user, 'Between the two');
  await shows(row(next, 'Between the two'));
  await lists(next, ['Between the two', 'To the first']);
  assert.match(opened[0]['last-event-id'], /\.\d+$/);
});

test('ten tabs stay responsive, also when the leading one closes', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Old');
  const made = await context(t, browser);
  const pages = [];
  let opened = 0;
  made.on('request', (request) => opened += Number(request.url().endsWith('/stream')));
  for (let n = 0; n < 10; n++) pages.push(await inboxPage(made, gateway, user));
  await Promise.all(pages.map((page) => shows(row(page, 'Old'))));
  await gateway.send(user, 'New');
  await Promise.all(pages.map((page) => shows(row(page, 'New'))));
  assert.equal(opened, 1);
  await pages.shift().close();
  await button(pages.at(-1), 'Mark as read: New').click();
  await Promise.all(pages.map((page) => shows(button(page, 'Mark as unread: New'))));
  await gateway.send(user, 'Newer');
  await Promise.all(pages.map((page) => shows(row(page, 'Newer'))));
  assert.equal(opened, 2);
});

test('a leading tab that no longer answers, as one that the system put to sleep, is replaced', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  const asleep = await inboxPage(made, gateway, user);
  await gateway.send(user, 'Awake');
  await shows(row(asleep, 'Awake'));
  await asleep.evaluate(() => BroadcastChannel.prototype.postMessage = () => {});
  const awake = await inboxPage(made, gateway, user);
  const opened = streams(awake);
  await shows(row(awake, 'Awake'));
  await awake.waitForRequest('**/stream');
  await gateway.send(user, 'New');
  await shows(row(awake, 'New'));
  assert.equal(opened.length, 1);
});

test('where tabs cannot share, each has a stream of its own', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  // As on a site without HTTPS.
  await made.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
  const pages = [await inboxPage(made, gateway, user), await inboxPage(made, gateway, user)];
  await Promise.all(pages.map((page) => shows(page.getByText('You have no notifications.'))));
  await gateway.send(user, 'To both');
  await Promise.all(pages.map((page) => shows(row(page, 'To both'))));
});

test('alone, a tab that was hidden while it asked for the count has a stream again when it is seen', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  await made.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });
    globalThis.see = (seen) => {
      Object.defineProperty(document, 'hidden', { value: !seen, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    };
  });
  await made.route('**/stream', (route) => route.fulfill({ status: 502 }));
  const counted = await hold(made, '**/unread-count');
  const page = await made.newPage();
  const asks = page.waitForRequest('**/unread-count');
  await hostPage(made, gateway, { script: as(user), page });
  await asks;
  await page.evaluate(() => see(false));
  await made.unroute('**/stream');
  await page.evaluate(() => see(true));
  counted((route) => route.continue());
  await gateway.send(user, 'Seen');
  await badge(page, '1');
  await page.waitForFunction(() => document.querySelector('bellboard-inbox').client.state.connection === 'live');
});

test('a stream whose answer begins but is held back on its way is none', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  // As a proxy that passes the head on and keeps the body.
  await made.addInitScript(() => {
    const real = globalThis.fetch;
    globalThis.fetch = async (url, options) => {
      if (!String(url).endsWith('/stream')) return real(url, options);
      globalThis.held = (globalThis.held ?? 0) + 1;
      const body = new ReadableStream({
        start: (stream) => options.signal.addEventListener('abort', () => stream.error(options.signal.reason)),
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    };
  });
  const page = await made.newPage();
  await page.clock.install();
  await hostPage(made, gateway, { script: `${as(user)} inbox.open();`, page });
  await page.waitForFunction(() => globalThis.held === 1);
  await shows(page.getByText('You have no notifications.'));
  await page.clock.fastForward(20_000);
  await shows(page.getByText('The connection is lost.'));
  // It asks for the count instead.
  await badge(page, '');
  await gateway.send(user, 'Asked for');
  await page.waitForFunction(() => globalThis.held === 2);
  await page.clock.fastForward(20_000);
  await shows(row(page, 'Asked for'));
});

test('tabs of two users in one browser hear only of their own', async (t) => {
  const [ada, bruno] = [gateway.user(), gateway.user()];
  const made = await context(t, browser);
  const [one, two] = [await inboxPage(made, gateway, ada), await inboxPage(made, gateway, bruno)];
  await gateway.send(ada, 'For Ada');
  await gateway.send(bruno, 'For Bruno');
  await shows(row(one, 'For Ada'));
  await shows(row(two, 'For Bruno'));
  assert.deepEqual([await rows(one).count(), await rows(two).count()], [1, 1]);
});

test('offline it says so, and back it shows what was missed', async (t) => {
  const user = gateway.user();
  const kept = await gateway.send(user, 'Kept');
  const deleted = await gateway.send(user, 'Deleted meanwhile');
  const made = await context(t, browser);
  const page = await inboxPage(made, gateway, user);
  await shows(row(page, 'Kept'));
  await made.setOffline(true);
  await shows(page.getByText('You are offline.'));
  await gateway.send(user, 'Missed');
  await gateway.elsewhere(user, 'POST', `/${kept}/mark-read`);
  await gateway.elsewhere(user, 'DELETE', `/${deleted}`);
  await made.setOffline(false);
  await lists(page, ['Missed', 'Kept']);
  await shows(button(page, 'Mark as unread: Kept'));
  await page.getByText('You are offline.').waitFor({ state: 'hidden' });
});

test('however often the connection is lost, in the end all tabs show what the gateway has', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  const pages = [];
  for (let n = 0; n < 3; n++) pages.push(await inboxPage(made, gateway, user));
  await Promise.all(pages.map((page) => shows(page.getByText('You have no notifications.'))));
  // In the end as many as one page of the list has: who loads it again shows no more than that.
  for (let n = 0; n < 24; n++) {
    const id = await gateway.send(user, `Notification ${n}`);
    if (n % 3 === 1) await gateway.elsewhere(user, 'POST', `/${id}/mark-read`);
    if (n % 4 === 2) await gateway.elsewhere(user, 'DELETE', `/${id}`);
    if (n % 16 === 6) await gateway.elsewhere(user, 'POST', `/${id}/restore`);
    if (n === 15) await gateway.elsewhere(user, 'POST', '/mark-all-read');
    if (n % 6 === 3) await made.setOffline(true);
    if (n % 6 === 5) await made.setOffline(false);
    // The leading tab goes too, once while it is offline.
    if (n === 10 || n === 17) await pages.shift().close();
  }
  const { notifications, unread_count: unread } = await gateway.list(user);
  const expected = JSON.stringify([notifications.map((one) => [one.notification_id, one.is_read]), unread]);
  const [last] = pages;
  await last.waitForFunction((wanted) => {
    const { items, unread } = document.querySelector('bellboard-inbox').client.state;
    return JSON.stringify([items.map((one) => [one.notification_id, one.is_read]), unread]) === wanted;
  }, expected);
});

test('a page that opened offline loads when it is back', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Waiting');
  const made = await context(t, browser);
  const page = await hostPage(made, gateway, { script: '' });
  await page.waitForFunction(() => customElements.get('bellboard-inbox'));
  await made.setOffline(true);
  await page.evaluate((script) => new Function('inbox', script)(document.querySelector('bellboard-inbox')), as(user));
  await bell(page).click();
  await shows(page.getByText('You are offline.'));
  await made.setOffline(false);
  await lists(page, ['Waiting']);
  await badge(page, '1');
});

test('a tab that could not load while the leading one was offline loads when that is back', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Waiting');
  const made = await context(t, browser);
  const leading = await hostPage(made, gateway, { script: `${as(user)} inbox.open();` });
  await lists(leading, ['Waiting']);
  const follower = await hostPage(made, gateway, { script: `globalThis.go = () => { ${as(user)} inbox.open(); };` });
  await follower.waitForFunction(() => globalThis.go);
  await made.setOffline(true);
  await shows(leading.getByText('You are offline.'));
  await follower.evaluate(() => go());
  await follower.waitForFunction(() => document.querySelector('bellboard-inbox').client.state.phase === 'failed');
  await made.setOffline(false);
  await lists(follower, ['Waiting']);
});

test('where the stream cannot be had, the badge and the list are asked for', async (t) => {
  const user = gateway.user();
  const made = await context(t, browser);
  await made.route('**/stream', (route) => route.fulfill({ status: 502 }));
  const page = await inboxPage(made, gateway, user);
  await shows(page.getByText('The connection is lost.'));
  await gateway.send(user, 'Asked for');
  await shows(row(page, 'Asked for'));
  await made.unroute('**/stream');
  // By itself it may wait half a minute, having failed so often.
  await page.waitForFunction(() => {
    const { client } = document.querySelector('bellboard-inbox');
    client.retry();
    return client.state.connection === 'live';
  }, undefined, { polling: 200 });
  await page.getByText('The connection is lost.').waitFor({ state: 'hidden' });
});

test('a list that could not be loaded is loaded by a click', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Behind an error');
  const made = await context(t, browser);
  await made.route(/notification\/\?/, (route) => route.fulfill({ status: 500, json: { reason: 'no' } }));
  const page = await hostPage(made, gateway, { script: as(user) });
  await badge(page, '1');
  await bell(page).click();
  await shows(page.getByText('Your notifications could not be loaded.'));
  await made.unroute(/notification\/\?/);
  await button(page, 'Try again').click();
  await lists(page, ['Behind an error']);
  await gone(page.getByText('You have no notifications.').filter({ visible: true }));
});
