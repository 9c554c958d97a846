/** Qualifications through all gates, against a loop that only decodes the same envelopes. */
import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import { Prng } from '../../tests/support/prng.ts';
import { cpuNs, DrivenPartition, Envelopes, START_MS } from './driven-partition.ts';
import { gatedCampaigns, seen } from './gate-campaigns.ts';

export interface GatesRun {
  readonly campaigns: number;
  readonly qualifications: number;
  readonly deliveries: number;
  readonly eventNs: number;
  readonly qualificationNs: number;
  readonly decodeNs: number;
  readonly hash: string;
}

export function runGates(
  campaigns: number,
  options: { readonly events: number; readonly users: number; readonly seed: number },
): GatesRun {
  const { events, users, seed } = options;
  const prng = new Prng(seed);
  const partition = new DrivenPartition();
  const envelopes = new Envelopes();
  const definitions = gatedCampaigns(campaigns);
  envelopes.json(RecordKind.control, { type: 'definitions', definitions }, START_MS);
  for (let user = 0; user < users; user++) {
    envelopes.identify(userId(user), { plan: prng.chance(0.9) ? 'pro' : 'free' }, START_MS);
  }
  partition.take(envelopes.taken());
  let atMs = START_MS;
  const draw = (count: number) => {
    for (let i = 0; i < count; i++) {
      const properties = { price: 10 + prng.below(90), sku: `sku-${prng.below(1_000)}` };
      envelopes.event(userId(prng.below(users)), seen(prng.below(campaigns)), ++atMs, properties);
    }
    return envelopes.taken();
  };
  // Compilers and tables warm up first.
  partition.take(draw(Math.ceil(events / 4)));
  const { qualifications: before } = partition.counters;
  const measured = draw(events);
  const ns = partition.timed(measured);
  const qualifications = partition.counters.qualifications - before;
  const decodeNs = cpuNs(() => decode(measured)) / events;
  return {
    campaigns,
    qualifications,
    deliveries: partition.outputs,
    eventNs: ns / events,
    qualificationNs: ns / Math.max(1, qualifications),
    decodeNs,
    hash: partition.hash(),
  };
}

function userId(user: number): string {
  return `user-${user}`;
}

function decode(envelopes: readonly Uint8Array[]): number {
  const reader = new EnvelopeReader();
  let read = 0;
  for (const bytes of envelopes) {
    reader.load(bytes);
    for (let i = 0; i < reader.count; i++) read += Object.keys(reader.propertiesOf(i)).length;
  }
  return read;
}
