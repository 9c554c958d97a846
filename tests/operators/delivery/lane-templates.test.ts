import { expect, test } from 'vitest';
import type { Content } from '../../../operators/definitions.ts';
import { subjectText } from '../../../operators/render/subject.ts';
import { campaignOf, deliveryOf, LaneBench, status, webhookOf } from './lane-bench.ts';

function campaignsWith(content: Partial<Content>, cap = {}) {
  const base = campaignOf('c').content;
  return new Map([['c', campaignOf('c', { cap, content: { ...base, ...content } })]]);
}

const ABORTING = campaignsWith(
  { mode: 'custom', type: 'text', body: '{% if Event.low %}{% abort %}{% endif %}x' },
  { total: 2 },
);

function owed(name: string, event: Record<string, unknown> = {}) {
  const body = subjectText({}, event);
  return deliveryOf(name, { body, hasSubject: true, wantsOutcome: true });
}

test('lane: an aborted delivery makes no request, tells its outcome and gives its place back', () => {
  const bench = new LaneBench({ campaigns: ABORTING });
  bench.offer(owed('a', { low: true }), owed('b'));
  bench.runUntil(bench.nowMs + 60_000);
  bench.offer(owed('d'));
  bench.runUntil(bench.nowMs + 60_000);
  expect(bench.attempts.map(({ attempt }) => attempt.members[0]!.userId)).toEqual(['b', 'd']);
  expect(bench.outcomes).toEqual(['a:aborted', 'b:delivered', 'd:delivered']);
});

test('lane: more aborted deliveries than one poll looks at are all settled', () => {
  const bench = new LaneBench({ campaigns: ABORTING });
  const names = Array.from({ length: 200 }, (_, i) => `u${i}`);
  for (const name of names) bench.offer(owed(name, { low: true }));
  bench.runUntil(bench.nowMs + 60_000);
  expect(bench.attempts).toEqual([]);
  expect(bench.outcomes.length).toBe(names.length);
});

test('lane: one request carries one custom body, and users of key values still share one', () => {
  const custom = new LaneBench({ campaigns: campaignsWith({ mode: 'custom', body: '{}' }) });
  custom.offer(owed('a'), owed('b'));
  custom.runUntil(custom.nowMs + 60_000);
  expect(custom.attempts.map(({ attempt }) => attempt.members.length)).toEqual([1, 1]);

  const query = { c: '{{ Campaign.name }}' };
  const shared = new LaneBench({ campaigns: campaignsWith({ query }) });
  shared.offer(deliveryOf('a'), deliveryOf('b'));
  shared.runUntil(shared.nowMs + 60_000);
  expect(shared.attempts.map(({ attempt }) => attempt.members.length)).toEqual([2]);
  expect(shared.attempts[0]!.attempt.request.url).toContain('c=c');

  const webhook = webhookOf({ headers: { 'x-user': '{{ Profile.identity }}' } });
  const apart = new LaneBench({ webhook });
  apart.offer(owed('a'), owed('b'));
  apart.runUntil(apart.nowMs + 60_000);
  const users = apart.attempts.map(({ attempt }) => attempt.request.headers['x-user']);
  expect(users).toEqual(['a', 'b']);
});

test('lane: a retry renders the content of its moment', () => {
  const body = (text: string) => campaignsWith({ mode: 'custom', type: 'text', body: text });
  const answer = (_: unknown, nth: number) => status(nth === 1 ? 500 : 200);
  const bench = new LaneBench({ campaigns: body('old') }, answer);
  bench.offer(owed('a'));
  bench.runUntil(bench.nowMs + 1_000);
  bench.lane.update(
    { webhook: webhookOf(), campaigns: body('new {{ Campaign.id }}') },
    bench.nowMs,
  );
  bench.runUntil(bench.nowMs + 60_000);
  const texts = bench.attempts.map(({ attempt }) => new TextDecoder().decode(attempt.request.body));
  expect(texts).toEqual(['old', 'new c']);
});

test('lane: a batch formed before its campaign was custom fails, as it has several users', () => {
  const bench = new LaneBench({}, () => status(500));
  bench.offer(deliveryOf('a'), deliveryOf('b'));
  bench.runUntil(bench.nowMs + 1_000);
  const campaigns = campaignsWith({ mode: 'custom', type: 'text', body: 'x' });
  bench.lane.update({ webhook: webhookOf(), campaigns }, bench.nowMs);
  bench.runUntil(bench.nowMs + 60_000);
  expect(bench.attempts.length).toBe(1);
  expect(bench.outcomes).toEqual(['a:render-failed', 'b:render-failed']);
});
