import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lapse } from '../../support/cli.ts';

const OTHER_YEAR = new URL('../../support/other-year.mjs', import.meta.url).href;
const BASE_MS = Date.parse('2026-03-08T06:30:00Z');
const instant = (minutes: number) => new Date(BASE_MS + minutes * 60_000).toISOString();

/** Everything that a zone, a language or the machine's clock could get into. */
const CONFIG = `
settings: {timezone: Europe/Istanbul}
webhooks:
  - {id: crm, url: "https://crm.example.com/in", batch: {max: 1}, retry: [10s, 1h]}
campaigns:
  - id: turkish
    webhook: crm
    qualify: {live: {action: {event: "DİL Ilık TITLE", where: {city: {eq: "ISTANBUL", i: true}}}}}
  - id: dates
    webhook: crm
    qualify: {live: {action: {event: V, where: {any: [
      {at: {on: 2026-03-08}}, {at: {exactlyAgo: 1d}}, {at: {inLast: 30m}}, {day: {before: 2026-03-08}}]}}}}
  - id: waits
    webhook: crm
    qualify: {live: {inaction: {did: {event: V}, without: {event: "title"}, within: 90m}}}
`;

const EVENTS = [
  { event: 'dİl ılık title', properties: { city: 'istanbul' } },
  { event: 'DİL Ilık TITLE', properties: { city: 'ıstanbul' } },
  { event: 'DİL  ilık TITLE', properties: { city: 'İSTANBUL' } },
  { event: 'V', properties: { at: '2026-03-07T23:30:00-05:00' } },
  { event: 'V', properties: { at: '2026-03-07T20:59:59.999Z' } },
  { event: 'V', properties: { at: '2026-03-07T21:00:00Z', day: '2026-03-07' } },
  { event: 'V', properties: { at: '2026-03-08 09:30:00' } },
  { event: 'V', properties: { day: '2026-03-08', at: '20260308T063500Z' } },
  { event: 'TITLE', properties: {} },
].map((event, i) => ({ type: 'track', userId: `u${i % 4}`, timestamp: instant(i), ...event }));
/** A clock change of New York lies between them; the last one says no zone. */
const TIMES = ['2026-03-08T02:30:00-05:00', '2026-03-08T03:30:00-04:00', '2026-03-08T02:30:00'];
const LINES = [
  ...EVENTS,
  ...TIMES.map((timestamp) => ({ type: 'track', userId: 'u9', event: 'V', timestamp })),
];

const RESPONSES = `responses:
  - {nth: 1, status: 503, headers: {retry-after: "Sun Mar  8 06:45:00 2026"}}
  - {nth: 2, status: 503, headers: {retry-after: "Sunday, 08-Mar-26 07:00:00 GMT"}}
`;

const MACHINES: readonly [string, Readonly<Record<string, string>>][] = [
  ['in New York', { TZ: 'America/New_York' }],
  ['in India', { TZ: 'Asia/Kolkata', LANG: 'hi_IN.UTF-8' }],
  ['that speaks Turkish', { TZ: 'Europe/Istanbul', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' }],
  ['in another year', { TZ: 'Pacific/Apia', NODE_OPTIONS: `--import=${OTHER_YEAR}` }],
];

let folder: string;
const put = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-machines-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function outputOn(machine: Readonly<Record<string, string>>) {
  const config = put('shop.yaml', CONFIG);
  const events = put('events.ndjson', LINES.map((line) => JSON.stringify(line)).join('\n'));
  const receiver = put('receiver.yaml', RESPONSES);
  const args = ['simulate', '--config', config, '--events', events, '--receiver', receiver];
  const { exitCode, stdout, stderr } = await lapse(args, { env: machine });
  return { exitCode, stdout, stderr };
}

test('a machine in another year is in another year', () => {
  const yearsOf = (...args: readonly string[]) => {
    const script = 'JSON.stringify([new Date().getUTCFullYear(), new Date(0).getTime()])';
    // This test too may run on such a machine.
    const env = { ...process.env, NODE_OPTIONS: '' };
    const said = execFileSync(process.execPath, [...args, '-p', script], { env });
    return JSON.parse(said.toString()) as [number, number];
  };
  const [year, epochMs] = yearsOf('--import', OTHER_YEAR);
  expect(year).toBeGreaterThan(yearsOf()[0] + 1);
  expect(epochMs).toBe(0);
});

test('simulate: writes the same on every machine', { timeout: 60_000 }, async () => {
  const here = await outputOn({ TZ: 'UTC', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' });
  expect(here).toMatchObject({ exitCode: 0 });
  const kinds = here.stdout.split('\n').filter((line) => line !== '');
  expect(kinds.filter((line) => line.includes('"qualified"')).length).toBeGreaterThan(5);
  expect(kinds.filter((line) => line.includes('"attempt":2')).length).toBeGreaterThan(0);
  expect(kinds.filter((line) => line.includes('"rejected"'))).toHaveLength(1);
  for (const [where, machine] of MACHINES) {
    expect(await outputOn(machine), `a machine ${where}`).toEqual(here);
  }
});
