// The store: what events and actions make of an inbox.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './modules.mjs';

const { EMPTY, apply, remaining, shown, withFirst, withPage } = await load('state');

const note = (id, more = {}) => ({ notification_id: id, title: `n${id}`, is_read: false, ...more });
const page = (ids, more = {}) => ({ notifications: ids.map((id) => note(id)), unread_count: ids.length, eventId: 'e.10', ...more });
const ids = (inbox) => inbox.items.map((item) => item.notification_id);
const unread = (inbox) => inbox.items.filter((item) => !item.is_read).map((item) => item.notification_id);
const event = (rev, type, data) => ({ id: `e.${rev}`, type, data });
const arrival = (rev, id, count, more = {}) =>
  event(rev, 'notification', { unread_count: count, notification: note(id, more.as), ...more.data });
const all = (inbox, ...events) => events.reduce(apply, inbox);
const pending = (change, more = {}) => ({ key: 1, change, settled: false, ...more });

test('what arrives stands first, and the count is the event\'s', () => {
  const inbox = all(withFirst(EMPTY, page([2, 1])), arrival(11, 3, 7));
  assert.deepEqual(ids(inbox), [3, 2, 1]);
  assert.equal(inbox.unread, 7);
  assert.equal(inbox.position, 'e.11');
});

test('an event that the list contains already changes nothing', () => {
  const inbox = withFirst(EMPTY, page([2, 1]));
  assert.equal(apply(inbox, arrival(10, 9, 9)), inbox);
  assert.equal(apply(inbox, event(4, 'deleted', { unread_count: 0, notification_id: 1 })), inbox);
});

test('events of another epoch are taken, whatever their number', () => {
  const inbox = apply(withFirst(EMPTY, page([1])), { ...arrival(1, 2, 2), id: 'f.1' });
  assert.deepEqual(ids(inbox), [2, 1]);
});

test('events come twice with no harm where ids cannot be compared', () => {
  const start = withFirst(EMPTY, page([2, 1], { eventId: 'x' }));
  const events = [arrival(1, 3, 3), event(2, 'read', { unread_count: 2, notification_id: 3, read_at: 't' })]
    .map((one, n) => ({ ...one, id: `opaque-${'ab'[n]}` }));
  const once = all(start, ...events);
  assert.deepEqual(all(once, ...events).items, once.items);
});

test('each event does what it says', () => {
  const start = withFirst(EMPTY, page([4, 3, 2, 1]));
  const read = apply(start, event(11, 'read', { unread_count: 3, notification_id: 2, read_at: 't' }));
  assert.deepEqual(unread(read), [4, 3, 1]);
  assert.equal(read.items[2].read_at, 't');
  const again = apply(read, event(12, 'unread', { unread_count: 4, notification_id: 2 }));
  assert.deepEqual([unread(again), again.items[2].read_at], [[4, 3, 2, 1], undefined]);
  const some = apply(start, event(11, 'read_all', { unread_count: 1, up_to: 3, read_at: 't' }));
  assert.deepEqual(unread(some), [4]);
  assert.deepEqual(ids(apply(start, event(11, 'deleted', { unread_count: 3, notification_id: 3 }))), [4, 2, 1]);
  assert.deepEqual(ids(apply(start, event(11, 'expired', { unread_count: 3, notification_id: 1 }))), [4, 3, 2]);
});

test('one that is restored comes back to its place', () => {
  const start = withFirst(EMPTY, page([4, 2, 1]));
  const inbox = apply(start, arrival(11, 3, 3, { as: { is_read: true }, data: { restored: true } }));
  assert.deepEqual(ids(inbox), [4, 3, 2, 1]);
  assert.equal(inbox.unread, 3);
});

test('events about what is not shown only change the count', () => {
  const start = withFirst(EMPTY, page([9, 8], { next_cursor: '8' }));
  const inbox = all(
    start,
    event(11, 'deleted', { unread_count: 6, notification_id: 3 }),
    event(12, 'read', { unread_count: 5, notification_id: 2, read_at: 't' }),
    arrival(13, 4, 6, { data: { restored: true } }),
  );
  assert.deepEqual([ids(inbox), inbox.unread, inbox.stale], [[9, 8], 6, false]);
});

test('before the list is loaded there is only a count', () => {
  const inbox = all(EMPTY, event(1, 'ready', { unread_count: 3 }), arrival(2, 5, 4));
  assert.deepEqual([ids(inbox), inbox.unread, inbox.stale], [[], 4, false]);
});

test('what cannot be told asks for the list again', () => {
  const start = withFirst(EMPTY, page([2, 1]));
  assert.equal(apply(start, event(11, 'reset', { unread_count: 0 })).stale, true);
  assert.equal(apply(start, event(11, 'ready', { unread_count: 0 })).stale, true);
  assert.equal(apply(start, event(10, 'ready', { unread_count: 2 })).stale, false);
  const only = { ...start, unreadOnly: true };
  assert.equal(apply(only, event(11, 'unread', { unread_count: 3, notification_id: 7 })).stale, true);
  assert.equal(withFirst({ ...start, stale: true }, page([1])).stale, false);
});

test('a further page joins below, with nothing twice, and the position stays', () => {
  const first = withFirst(EMPTY, page([9, 8], { next_cursor: '8' }));
  const both = withPage(apply(first, arrival(11, 10, 5)), page([8, 7, 6], { eventId: 'e.12', unread_count: 5 }));
  assert.deepEqual(ids(both), [10, 9, 8, 7, 6]);
  assert.deepEqual([both.position, both.cursor, both.floor], ['e.11', undefined, 0]);
});

test('actions are shown at once, with the count that follows', () => {
  const start = { ...withFirst(EMPTY, page([9, 8, 7], { next_cursor: '7' })), unread: 50 };
  const after = (change) => shown(start, [pending(change)]);
  assert.equal(after({ kind: 'read', id: 8 }).unread, 49);
  assert.deepEqual(ids(after({ kind: 'deleted', id: 8 })), [9, 7]);
  assert.equal(after({ kind: 'deleted', id: 8 }).unread, 49);
  assert.equal(after({ kind: 'read_all', id: 9 }).unread, 0);
  assert.equal(after({ kind: 'read_all', id: 8 }).unread, 1);
  const twice = [pending({ kind: 'read', id: 8 }), pending({ kind: 'deleted', id: 8 })];
  assert.equal(shown(start, twice).unread, 49);
});

test('an action that fails leaves what came meanwhile', () => {
  const inbox = apply(withFirst(EMPTY, page([2, 1])), arrival(11, 3, 3));
  assert.deepEqual(ids(shown(inbox, [pending({ kind: 'deleted', id: 2 })])), [3, 1]);
  assert.deepEqual(ids(shown(inbox, [])), [3, 2, 1]);
});

test('an action that the stream has told too changes nothing more', () => {
  const read = event(11, 'read', { unread_count: 1, notification_id: 2, read_at: 't' });
  const inbox = apply(withFirst(EMPTY, page([2, 1])), read);
  assert.deepEqual(shown(inbox, [pending({ kind: 'read', id: 2 }), pending({ kind: 'read_all', id: 1 })]).unread, 0);
  assert.equal(shown(inbox, [pending({ kind: 'read', id: 2 })]), inbox);
});

test('what was answered is shown until the stream tells of it, whatever it tells of others first', () => {
  const answered = [pending({ kind: 'deleted', id: 2 }, { settled: true }), pending({ kind: 'read', id: 2 })];
  const left = (told, from = answered) => remaining(from, told).length;
  assert.equal(left(arrival(11, 3, 3)), 2);
  assert.equal(left(event(11, 'read', { unread_count: 1, notification_id: 1, read_at: 't' })), 2);
  assert.equal(left(event(12, 'deleted', { unread_count: 1, notification_id: 2 })), 1);
  // What was done already, as on another device, is told by no event of its own: a later one is the truth.
  assert.equal(left(arrival(12, 2, 3, { data: { restored: true } })), 1);
  assert.equal(left(event(12, 'reset', { unread_count: 1 })), 1);
  assert.equal(left(event(12, 'read_all', { unread_count: 0, up_to: 9, read_at: 't' })), 1);
  const all = [pending({ kind: 'read_all', id: 9 }, { settled: true })];
  assert.equal(left(event(12, 'unread', { unread_count: 1, notification_id: 4 }), all), 0);
});
