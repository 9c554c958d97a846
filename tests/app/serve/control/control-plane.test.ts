import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ControlPlane } from '../../../../app/serve/control/control-plane.ts';
import { startControl } from '../../../../app/serve/control/start-control.ts';
import type { LapseError } from '../../../../engine/errors/errors.ts';
import { MemoryLog } from '../../../../engine/log/memory-log.ts';
import type { Control } from '../../../../operators/campaign-pipeline.ts';
import {
  type Campaign,
  type Definitions,
  NO_DEFINITIONS,
} from '../../../../operators/definitions.ts';
import { SimulatedClock } from '../../../engine/sender/crash-bench.ts';
import { BASE_MS, campaignOf, webhookOf } from '../../../operators/delivery/lane-bench.ts';

const KEY_VALUE = 'coupon-7e1b';

let folder: string;
let log: MemoryLog;
let epoch: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-control-plane-'));
  log = new MemoryLog({ partitionCount: 1 });
  epoch = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function definitions(...campaigns: Campaign[]): Definitions {
  return { ...NO_DEFINITIONS, webhooks: [webhookOf()], campaigns };
}

function withKeyValue(id: string): Campaign {
  const campaign = campaignOf(id);
  return { ...campaign, content: { ...campaign.content, keyValues: { Code: KEY_VALUE } } };
}

function options() {
  return { log, clock: new SimulatedClock(BASE_MS), epoch: ++epoch, dataFolder: folder };
}

/** A start; what partitions and lanes are told is written down. */
async function open(given: Definitions = NO_DEFINITIONS) {
  const told: Control[] = [];
  const warnings: string[] = [];
  const onWarning = (_where: string, { code }: LapseError) => warnings.push(code);
  const control = await startControl({ ...options(), given, onWarning });
  await control.connect({
    lanes: async () => undefined,
    partitions: async (one) => {
      told.push(one);
    },
  });
  return { control, told, warnings };
}

test('control plane: partitions are told only what changed, and nothing at a mere restart', async () => {
  const first = await open(definitions(campaignOf('a'), campaignOf('b')));
  expect(first.told.map(({ type }) => type)).toEqual(['delta']);
  const changed = campaignOf('b', { ttlMs: 5_000 });
  await first.control.apply((base) => ({ ...base, campaigns: [campaignOf('a'), changed] }));
  expect(first.told.slice(1)).toMatchObject([{ type: 'delta', campaigns: [{ id: 'b' }] }]);
  await first.control.act('a', 'pause');
  expect(first.told.slice(2)).toEqual([{ type: 'life', campaign: 'a', action: 'pause' }]);
  const second = await open();
  expect(second.told).toEqual([]);
  expect(second.control.definitions.campaigns.map(({ ttlMs }) => ttlMs)).toEqual([
    campaignOf('a').ttlMs,
    5_000,
  ]);
  expect(Object.fromEntries(second.control.lives)).toEqual({ a: 'paused', b: 'running' });
});

test('control plane: what a crash kept from the partitions is told at the next start', async () => {
  const control = await startControl({
    ...options(),
    given: definitions(campaignOf('a')),
    onWarning: () => {},
  });
  await control.act('a', 'pause');
  await control.act('a', 'resume');
  const { told } = await open();
  expect(told.map((one) => ('action' in one ? one.action : one.type))).toEqual(['delta', 'resume']);
});

test('control plane: what only requests need is not in the log, nor kept of files', async () => {
  const given = definitions(withKeyValue('a'));
  await open(given);
  const contents = () => readFileSync(join(folder, 'requests.json'), 'utf8');
  expect(contents()).not.toContain(KEY_VALUE);
  const { control } = await open(given);
  await control.apply((base) => ({ ...base, campaigns: [...base.campaigns, withKeyValue('b')] }));
  expect(contents()).toContain(KEY_VALUE);
  const reader = log.read('control', 0, () => {});
  for (let next = reader.poll(); next !== undefined; next = reader.poll()) {
    expect(new TextDecoder().decode(next.bytes)).not.toContain(KEY_VALUE);
  }
});

test('control plane: a campaign whose content is not given waits, and goes on when it is', async () => {
  const given = definitions(withKeyValue('a'));
  await open(given);
  const without = await open();
  expect(without.warnings).toEqual(['ERR_REQUEST_PARTS_MISSING']);
  expect(without.control.sendingLives.get('a')).toBe('paused');
  expect(without.control.lives.get('a')).toBe('running');
  const { control, warnings } = await open(given);
  expect([control.sendingLives.get('a'), warnings]).toEqual(['running', []]);
});

test('control plane: an empty content that is given again is no missing one', async () => {
  const { control } = await open(definitions(campaignOf('a')));
  await control.apply((base) => ({ ...base, webhooks: [webhookOf({ maxInFlight: 2 })] }));
  const again = await open(definitions(campaignOf('a')));
  expect(again.control.sendingLives.get('a')).toBe('running');
});

test('control plane: a draft that was published stays so, whatever its file says', async () => {
  const draft = campaignOf('a', { state: 'draft' });
  const { control } = await open(definitions(draft));
  await control.act('a', 'publish');
  const again = await open(definitions({ ...draft, name: 'renamed' }));
  expect(again.control.lives.get('a')).toBe('running');
});

test('control plane: a campaign with a cap stays with its lane', async () => {
  const capped = campaignOf('a', { cap: { total: 5 } });
  const { control } = await open(definitions(capped));
  const moved = { ...definitions({ ...capped, webhook: 'other' }) };
  const apply = control.apply(() => ({ ...moved, webhooks: [webhookOf({ id: 'other' })] }));
  await expect(apply).rejects.toThrow(
    'campaigns.a.webhook must be hook as long as the campaign has a cap, got other.',
  );
});

test('control plane: ten thousand campaigns fit, each record within a message', async () => {
  const campaigns = Array.from({ length: 10_000 }, (_, i) => campaignOf(`campaign-${i}`));
  const { told } = await open(definitions(...campaigns));
  expect(told.length).toBeGreaterThan(10);
  for (const one of told) expect(JSON.stringify(one).length).toBeLessThan(640 * 1024);
  const { control } = await open();
  expect(control.definitions.campaigns).toHaveLength(campaigns.length);
});

test('control plane: an older process is refused', async () => {
  const old = await ControlPlane.open({ ...options(), epoch: 1 });
  await open(definitions(campaignOf('a')));
  await expect(old.apply(() => definitions(campaignOf('b')))).rejects.toMatchObject({
    code: 'ERR_FENCED',
  });
});
