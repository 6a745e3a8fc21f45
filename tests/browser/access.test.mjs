// For everybody: by keyboard alone, with a screen reader, in both colour schemes, from right to left; and never HTML.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  as, badge, begin, bell, button, context, hostPage, inboxPage, lists, picture, row, rows, shows, violations,
} from './browser.mjs';

const { gateway, browser } = await begin(after);

/** What asks for a page of the list. */
const LISTS = /notification\/\?/;

/** What notifications may look like. */
async function variety(user) {
  const send = (title, more) => gateway.send(user, title, more);
  const mark = async (id) => gateway.elsewhere(user, 'POST', `/${id}/mark-read`);
  await mark(await send('Payment received', {
    type: 'billing_payment', message: 'Payment of $49.00 has been processed.', link: '/payments/881',
  }));
  await mark(await send('Priya mentioned you', {
    type: 'ticket_mention', message: '@sam can you look at the SIM swap on this one?', related_ticket_id: 42,
  }));
  await send('Invoice #2041 is ready', {
    type: 'billing_invoice', message: 'The invoice for $129.00 is due on 30 November.', link: '/invoices/2041',
  });
  await send('Service activation failed', {
    type: 'provision_failed',
    link: '/services/168',
    message: `The playbook stopped at "assign number".\n${'The number is in use by another service. '.repeat(8)}`,
  });
  await send('Service activated', {
    type: 'provision_complete', message: 'Your mobile service is ready to use.', link: '/services/167',
  });
  await send('Disk usage above 85 %', { type: 'system_alert', metadata: { severity: 'warning' } });
}

const focused = (page) => page.evaluate(() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at?.getAttribute('aria-label') ?? at?.textContent?.trim().slice(0, 40);
});
/** Presses keys one after the other. */
async function press(page, ...keys) {
  for (const key of keys) await page.keyboard.press(key);
}
const live = (page, text) => page.locator('bellboard-inbox [role=status]').filter({ hasText: text });

test('all of it can be done by keyboard alone', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'To follow', { link: '#followed' });
  await gateway.fill(user, 4);
  const page = await hostPage(await context(t, browser), gateway, { script: as(user) });
  await badge(page, '5');
  await page.locator('#before').focus();
  await press(page, 'Tab');
  assert.equal(await focused(page), 'Notifications, 5 unread');
  await press(page, 'Enter');
  await shows(page.getByRole('dialog', { name: 'Notifications' }));
  await shows(row(page, 'To follow'));

  await press(page, 'ArrowDown');
  assert.equal(await focused(page), 'Unread, Notification 4');
  await press(page, 'ArrowDown', 'ArrowDown');
  assert.equal(await focused(page), 'Unread, Notification 2');
  await press(page, 'End');
  assert.equal(await focused(page), 'Unread, To follow');
  await press(page, 'Home', 'ArrowUp');
  assert.equal(await focused(page), 'Unread, Notification 4');

  // Space marks, and Tab reaches what is in the row.
  await press(page, ' ');
  await badge(page, '4');
  assert.equal(await focused(page), 'Notification 4');
  await press(page, 'Tab');
  assert.equal(await focused(page), 'Mark as unread: Notification 4');
  await press(page, 'Enter');
  await badge(page, '5');

  // Deleting moves the focus to the next one; undo is a few steps on.
  await press(page, 'ArrowDown', 'Delete');
  await shows(live(page, 'Deleted: Notification 3'));
  assert.equal(await focused(page), 'Unread, Notification 2');
  await button(page, 'Undo').focus();
  await press(page, 'Enter');
  await shows(row(page, 'Notification 3'));
  await shows(live(page, 'Restored: Notification 3'));

  // Escape gives the focus back, and following a link closes too.
  await press(page, 'Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await focused(page), 'Notifications, 5 unread');
  await press(page, 'Enter');
  await shows(page.getByRole('dialog'));
  await press(page, 'ArrowDown', 'End', 'Enter');
  await page.waitForURL('**#followed');
  await badge(page, '4');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  // The dropdown does not stay above what has the focus.
  await bell(page).focus();
  await press(page, 'Enter');
  await shows(page.getByRole('dialog'));
  await page.locator('#after').focus();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
});

test('in the filter the focus goes on when what had it is read', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 2);
  const page = await inboxPage(await context(t, browser), gateway, user);
  await button(page, 'Unread only').click();
  await row(page, 'Notification 2').focus();
  await press(page, ' ');
  await lists(page, ['Notification 1']);
  assert.equal(await focused(page), 'Unread, Notification 1');
  await press(page, ' ');
  await shows(page.getByText('You have read everything.'));
  assert.match(await focused(page), /^Notifications/);
});

test('arrivals are announced together, once, and the first list is not', async (t) => {
  const user = gateway.user();
  await gateway.fill(user, 3);
  const page = await inboxPage(await context(t, browser), gateway, user);
  await shows(rows(page));
  await page.evaluate(() => {
    globalThis.spoken = [];
    const region = document.querySelector('bellboard-inbox').shadowRoot.lastElementChild;
    new MutationObserver(() => spoken.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await Promise.all(['a', 'b', 'c'].map((title) => gateway.send(user, title)));
  await shows(live(page, '3 new notifications'));
  await gateway.send(user, 'One more');
  await shows(live(page, 'New notification: One more'));
  assert.deepEqual(await page.evaluate(() => spoken), ['3 new notifications', 'New notification: One more']);
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing in the ${colorScheme} scheme`, async (t) => {
    const user = gateway.user();
    const made = await context(t, browser, { colorScheme, viewport: { width: 900, height: 640 } });
    const host = await hostPage(made, gateway, { script: as(user) });
    await bell(host).click();
    await shows(host.getByText('You have no notifications.'));
    assert.deepEqual(await violations(host), []);
    await picture(host, `empty-${colorScheme}`);
    await variety(user);
    await badge(host, '4');
    await shows(row(host, 'Payment received'));
    await picture(host, `dropdown-${colorScheme}`);
    await button(host, /^Show more/).click();
    await button(host, 'Delete: Invoice #2041 is ready').click();
    await shows(button(host, 'Undo'));
    assert.deepEqual(await violations(host), []);
    await picture(host, `undo-${colorScheme}`);
    await row(host, 'Service activated').hover();
    await made.setOffline(true);
    await shows(host.getByText('You are offline.'));
    assert.deepEqual(await violations(host), []);
    await picture(host, `offline-${colorScheme}`);
    await made.route('**/stream', (route) => route.fulfill({ status: 502 }));
    await made.setOffline(false);
    await shows(host.getByText('The connection is lost.'));
    assert.deepEqual(await violations(host), []);
    await picture(host, `reconnecting-${colorScheme}`);
    await made.unroute('**/stream');
    await made.route(LISTS, (route) => route.fulfill({ status: 500, json: {} }));
    await host.reload();
    await badge(host, '3');
    await bell(host).click();
    await shows(host.getByText('Your notifications could not be loaded.'));
    assert.deepEqual(await violations(host), []);
    await picture(host, `failed-${colorScheme}`);
    await made.unroute(LISTS);
    await host.keyboard.press('Escape');
    assert.deepEqual(await violations(host), []);

    const page = await inboxPage(made, gateway, user);
    await shows(row(page, 'Payment received'));
    assert.deepEqual(await violations(page), []);
    await picture(page, `page-${colorScheme}`);
    await page.goto('about:blank');
    const asks = await made.newPage();
    await asks.goto(`${gateway.base}/ui/`);
    await shows(asks.getByLabel('Bearer token'));
    assert.deepEqual(await violations(asks), []);
  });
}

test('whatever can be pressed is large enough', async (t) => {
  const user = gateway.user();
  await variety(user);
  const page = await hostPage(await context(t, browser), gateway, { script: as(user) });
  await bell(page).click();
  await button(page, /^Delete: Payment/).click();
  await shows(button(page, 'Undo'));
  const small = await page.evaluate(() => [...document.querySelector('bellboard-inbox').shadowRoot.querySelectorAll('button, a')]
    .map((one) => [one.getAttribute('aria-label') ?? one.textContent, one.getBoundingClientRect()])
    .filter(([, { width, height }]) => width && (width < 24 || height < 24))
    .map(([name, { width, height }]) => `${name}: ${width} by ${height}`));
  assert.deepEqual(small, []);
});

test('from right to left, with the page\'s words and the reader\'s locale', async (t) => {
  const user = gateway.user();
  await variety(user);
  const made = await context(t, browser, { locale: 'ar-EG', viewport: { width: 900, height: 640 } });
  const page = await hostPage(made, gateway, {
    lang: 'ar',
    dir: 'rtl',
    script: `inbox.strings = { heading: 'الإشعارات', bell: (n) => 'الإشعارات، ' + n, markAllRead: 'تحديد الكل كمقروء',
      unreadOnly: 'غير المقروءة فقط', delete: 'حذف', deleted: (title) => 'حُذف: ' + title, undo: 'تراجع' }; ${as(user)}`,
  });
  await badge(page, '٤');
  const at = page.getByRole('button', { name: /^الإشعارات/ });
  await at.click();
  await shows(row(page, 'Service activated'));
  await shows(page.getByText('الآن'));
  const box = (locator) => locator.boundingBox();
  const [icon, actions] = [
    await box(row(page, 'Service activated').locator('[part=icon]')),
    await box(button(page, 'حذف: Service activated')),
  ];
  assert.ok(icon.x > actions.x, 'the icon stands at the right');
  // Words from left to right stand at the right too, titles and messages alike.
  const texts = row(page, 'Service activated').locator('[part=title], [part=message]');
  const ends = await texts.evaluateAll((found) => found.map((text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return Math.round(range.getBoundingClientRect().right);
  }));
  assert.equal(ends[0], ends[1]);
  const panel = await box(page.getByRole('dialog'));
  assert.ok(Math.abs(panel.x - (await box(at)).x) < 9 || panel.x === 8, 'the dropdown opens from the bell\'s left');
  assert.deepEqual(await violations(page), []);
  await picture(page, 'right-to-left');
});

test('titles, messages and links are never more than text', async (t) => {
  const user = gateway.user();
  const hostile = [
    '<img src=x onerror="globalThis.ran = 1">',
    '"><script>globalThis.ran = 1</script>',
    '{{constructor.constructor("globalThis.ran = 1")()}}',
    '\u202Egnp.exe <b onmouseover=alert(1)>',
    '&lt;b&gt;',
  ];
  for (const title of hostile) await gateway.send(user, title, { message: title, link: `/x?${encodeURIComponent(title)}` });
  const made = await context(t, browser);
  // Links that the gateway refuses, as if they had come all the same.
  const links = ['javascript:globalThis.ran=1', 'JAVASCRIPT:globalThis.ran=1', ' javascript:globalThis.ran=1', 'java\nscript:globalThis.ran=1',
    'data:text/html,<script>opener.ran=1</script>', '//evil.example/', '/\\evil.example', 'https:evil.example', 'vbscript:x'];
  await made.route(LISTS, async (route) => {
    const answer = await route.fetch();
    const page = await answer.json();
    const more = links.map((link, n) => ({ ...page.notifications[0], notification_id: 9000 - n, title: `Link ${n}`, link }));
    await route.fulfill({ response: answer, json: { ...page, notifications: [...more, ...page.notifications] } });
  });
  const page = await inboxPage(made, gateway, user);
  await lists(page, [...links.map((_, n) => `Link ${n}`), ...[...hostile].reverse()]);
  assert.equal(await page.locator('bellboard-inbox').getByRole('link', { name: /^Link/ }).count(), 0);
  const parts = await page.evaluate(() => [...document.querySelector('bellboard-inbox').shadowRoot.querySelectorAll('*')].map((one) => one.localName));
  for (const name of ['img', 'script', 'b', 'iframe']) assert.ok(!parts.includes(name), name);
  for (let n = 0; n < links.length; n++) await row(page, `Link ${n}`).click();
  await page.getByRole('article').last().hover();
  assert.equal(await page.evaluate(() => globalThis.ran), undefined);
  assert.equal(page.url(), `${gateway.base}/ui/`);
});

test('a page gives the component its colours, by property, part and scheme', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Coloured');
  const page = await hostPage(await context(t, browser), gateway, {
    script: `${as(user)} inbox.open();`,
    attributes: 'theme="dark"',
    head: `<style>:root { --bellboard-accent: rgb(1, 2, 3) } bellboard-inbox::part(heading) { text-transform: uppercase }</style>`,
  });
  await shows(row(page, 'Coloured'));
  const style = (selector, name) => page.locator(`bellboard-inbox ${selector}`)
    .evaluate((one, property) => getComputedStyle(one)[property], name);
  assert.equal(await style('[part=icon]', 'color'), 'rgb(1, 2, 3)');
  assert.equal(await style('h2', 'textTransform'), 'uppercase');
  assert.equal(await style('[part=panel]', 'backgroundColor'), 'rgb(28, 30, 35)');
});

test('without motion for those who want none', async (t) => {
  const user = gateway.user();
  await gateway.send(user, 'Old');
  const made = await context(t, browser, { reducedMotion: 'reduce' });
  const page = await inboxPage(made, gateway, user);
  await shows(row(page, 'Old'));
  await gateway.send(user, 'New');
  await shows(row(page, 'New'));
  assert.equal(await row(page, 'New').evaluate((one) => getComputedStyle(one).animationName), 'none');
});
