/**
 * The benches in a small size: that they run, that what they check holds, that the same seed gives
 * the same output. Never how fast: that is measured on a machine with nothing else to do.
 */
import { expect, test } from 'vitest';
import { natsPrograms } from '../support/nats-server.ts';
import { runBenchSmoke } from './run-bench.ts';

const programs = await natsPrograms();

function noteWith(notes: readonly string[], text: string): string {
  return notes.find((note) => note.includes(text)) ?? `no note says '${text}'`;
}

test('path: the slow model finds the same, and the threads do not change the output', async () => {
  const one = await runBenchSmoke('path', '--workers', '1');
  const two = await runBenchSmoke('path', '--workers', '2');
  expect(one.outputHash).toMatch(/^[0-9a-f]{16}$/);
  expect(two.outputHash).toBe(one.outputHash);
  expect(noteWith(one.notes, 'slow model')).toMatch(/^[1-9]\d* qualifications/);
});

test('path: another seed gives another output', async () => {
  const [usual, other] = await Promise.all([
    runBenchSmoke('path'),
    runBenchSmoke('path', '--seed', '7'),
  ]);
  expect(other.outputHash).not.toBe(usual.outputHash);
});

test.skipIf(programs.length === 0)('path: both logs give the same output', async () => {
  const embedded = await runBenchSmoke('path');
  const jetstream = await runBenchSmoke('path', '--log', 'jetstream');
  expect(jetstream.outputHash).toBe(embedded.outputHash);
});

test('door: every event that HTTP takes is processed, on the embedded log', async () => {
  const { measures } = await runBenchSmoke('door', '--log', 'embedded');
  expect(measures.every(({ value }) => value > 0)).toBe(true);
});

test.skipIf(programs.length === 0)('door: every message of NATS is processed', async () => {
  const { notes } = await runBenchSmoke('door');
  expect(noteWith(notes, 'qualifications of actions')).toMatch(/[1-9]\d* qualifications/);
});

test('latency: everyone who is owed a message gets exactly one', async () => {
  const { notes } = await runBenchSmoke('latency');
  expect(noteWith(notes, 'messages owed')).toContain('each came exactly once');
});

test('windows: none is lost over checkpoint and restart, and what fires is the same', async () => {
  const first = await runBenchSmoke('windows');
  const second = await runBenchSmoke('windows');
  expect(noteWith(first.notes, 'fired after the restart')).toContain('2000 fired');
  expect(second.outputHash).toBe(first.outputHash);
});

test('gates: all gates are passed, and the same seed gives the same messages', async () => {
  const first = await runBenchSmoke('gates');
  const second = await runBenchSmoke('gates');
  expect(second.outputHash).toBe(first.outputHash);
  expect(noteWith(first.notes, '100 campaigns')).toMatch(/[1-9]\d* qualifications .* [1-9]\d* del/);
  expect(first.measures.every(({ value }) => value >= 0)).toBe(true);
});

const overloadLogs = programs.length === 0 ? ['embedded'] : ['embedded', 'jetstream'];

test.each(overloadLogs)('overload: nothing is lost and nothing doubled, on %s', async (log) => {
  const { measures } = await runBenchSmoke('overload', '--log', log);
  const found = (what: string) => measures.find((one) => one.what === what)?.value;
  expect(found('events acknowledged')).toBeGreaterThan(0);
  expect(found('lost: acknowledged, not processed')).toBe(0);
  expect(found('lost: owed, never received')).toBe(0);
  expect(found('doubled: taken twice')).toBe(0);
  expect(found('a webhook-id with another body')).toBe(0);
});
