// The small parts: parsing, links, tokens, times.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from './modules.mjs';

const { parser } = await load('sse');
const { isSafeLink } = await load('link');
const { backoff, retryAfter } = await load('backoff');
const { Tokens } = await load('token');
const { relative, localeOf } = await load('time');
const { covers } = await load('types');

function parsed(...pieces) {
  const seen = [];
  const parse = parser({ frame: (frame) => seen.push(frame), retry: (ms) => seen.push(ms) });
  pieces.forEach(parse);
  return seen;
}

test('a stream is parsed the same however it is cut', () => {
  const text = 'retry: 2000\r\n\r\n: beat\n\nid: e.1\nevent: read\ndata: {"a":\ndata:1}\n\nid: e.2\r\ndata: ü😀\r\n\r\n';
  const whole = parsed(text);
  assert.deepEqual(whole, [
    2000,
    { event: 'read', data: '{"a":\n1}', id: 'e.1' },
    { event: 'message', data: 'ü😀', id: 'e.2' },
  ]);
  for (let cut = 1; cut < text.length; cut++) assert.deepEqual(parsed(text.slice(0, cut), text.slice(cut)), whole);
  assert.deepEqual(parsed(...text), whole);
  assert.deepEqual(parsed(text.replace(/\r?\n/g, '\r'), 'x'), whole);
});

test('half an event is none', () => {
  assert.deepEqual(parsed('id: e.1\nevent: read\ndata: {}\n'), []);
  assert.deepEqual(parsed('id: e.1\nevent: read\n\n'), []);
});

test('a line without an end is refused', () => {
  assert.throws(() => parsed(...Array(50).fill('x'.repeat(100_000))));
});

test('links are those that the gateway admits', () => {
  const rule = readFileSync(new URL('../../plugins/sdk/src/link.rs', import.meta.url), 'utf8');
  // Its own examples, as they stand there.
  const listed = (from) => [...rule.slice(rule.indexOf(from)).split(']', 1)[0].matchAll(/"((?:[^"\\]|\\.)*)"/g)]
    .map(([, text]) => JSON.parse(`"${text.replace(/\\u\{(\w+)\}/g, (_, hex) => `\\u${hex.padStart(4, '0')}`)}"`));
  const good = listed('fn paths_and_web_urls');
  const bad = listed('fn everything_that_could');
  assert.ok(good.length > 5 && bad.length > 15, `${good} ${bad}`);
  for (const link of good) assert.equal(isSafeLink(link), true, link);
  for (const link of bad) assert.equal(isSafeLink(link), false, link);
});

test('each failure doubles the wait, up to half a minute', () => {
  assert.deepEqual([0, 1, 2, 9].map((n) => backoff(n, 2000, () => 1)), [2000, 4000, 8000, 30_000]);
  assert.equal(backoff(3, 2000, () => 0), 0);
});

test('Retry-After is seconds or a date', () => {
  assert.equal(retryAfter('3'), 3000);
  assert.equal(retryAfter('Thu, 01 Jan 1970 00:00:09 GMT', 4000), 5000);
  assert.equal(retryAfter('Thu, 01 Jan 1970 00:00:01 GMT', 4000), 0);
  assert.equal(retryAfter('soon'), undefined);
  assert.equal(retryAfter(null), undefined);
});

test('whose a token is the gateway says, and another owner is told of', async () => {
  const said = { a1: 'acme/7', a2: 'acme/7', b: 'beta/7' };
  const given = ['a1', 'a2', 'b'];
  const tokens = new Tokens(() => given.shift(), async (token) => said[token]);
  const changes = [];
  tokens.changed = () => changes.push(tokens.owner);
  for (const token of ['a1', 'a2', 'b']) {
    assert.equal(await tokens.get(token === 'a1' ? undefined : tokens.last), token);
    assert.equal(tokens.owner, said[token]);
    tokens.last = token;
  }
  // The same number in another tenant is another user.
  assert.deepEqual(changes, ['beta/7']);
});

test('a token that the gateway refuses is refreshed once, and one that cannot be judged is not taken', async () => {
  const asked = [];
  const fault = (status) => Object.assign(new Error('refused'), { status });
  const of = (whose) => new Tokens(({ refresh }) => `t${asked.push(refresh)}`, whose);
  const stale = of(async (token) => {
    if (token === 't1') throw fault(401);
    return 'acme/7';
  });
  assert.equal(await stale.get(), 't2');
  assert.deepEqual(asked, [false, true]);
  const busy = of(async () => { throw fault(503); });
  await assert.rejects(busy.get(), { status: 503 });
  assert.equal(busy.owner, undefined);
  await assert.rejects(of(async () => { throw fault(401); }).get(), { status: 401 });
});

test('many who are refused at once cause one refresh', async () => {
  const asked = [];
  const tokens = new Tokens(async (request) => {
    asked.push(request.refresh);
    return `t${asked.length}`;
  }, async () => 'acme/7');
  assert.deepEqual(await Promise.all([tokens.get(), tokens.get()]), ['t1', 't1']);
  assert.deepEqual(await Promise.all([tokens.get('t1'), tokens.get('t1')]), ['t2', 't2']);
  // Who comes late with the old one finds the new one.
  assert.equal(await tokens.get('t1'), 't2');
  assert.deepEqual(asked, [false, true]);
});

test('times are said as people say them', () => {
  const now = new Date(2026, 5, 10, 12, 0);
  const said = (...at) => relative(new Date(...at), now, 'en');
  assert.equal(said(2026, 5, 10, 11, 59, 40), 'now');
  assert.equal(said(2026, 5, 10, 12, 5), 'now');
  assert.equal(said(2026, 5, 10, 11, 55), '5 minutes ago');
  assert.equal(said(2026, 5, 10, 1, 0), '11 hours ago');
  assert.equal(said(2026, 5, 9, 23, 0), 'yesterday');
  assert.equal(said(2026, 5, 8, 23, 0), '2 days ago');
  assert.equal(said(2026, 4, 1), 'May 1, 2026');
  assert.equal(relative(new Date(2026, 5, 10, 11, 55), now, 'de'), 'vor 5 Minuten');
});

test('the locale is the reader\'s own, in the page\'s language', () => {
  assert.equal(localeOf('en', ['de-AT', 'en-GB']), 'en-GB');
  assert.equal(localeOf('fr', ['de-AT']), 'fr');
  assert.equal(localeOf('pt-BR', ['pt-PT']), 'pt-BR');
  assert.equal(localeOf(undefined, ['de-AT']), 'de-AT');
  assert.equal(localeOf('no such language', []), 'en');
});

test('of two places in the stream the later one covers the earlier', () => {
  assert.equal(covers('e.10', 'e.9'), true);
  assert.equal(covers('e.9', 'e.9'), true);
  assert.equal(covers('e.9', 'e.10'), false);
  assert.equal(covers('e.9', 'f.1'), false);
  assert.equal(covers(undefined, 'e.1'), false);
  assert.equal(covers('opaque', 'opaque'), true);
});
