/** What one change costs among many campaigns: an edit, the closing of a version, a join. */
import { RecordKind } from '../../engine/envelope/records.ts';
import { DrivenPartition, Envelopes, START_MS } from './driven-partition.ts';
import { bought, ORDER, seen, sharedCampaigns, windowCampaigns } from './gate-campaigns.ts';

export interface ChangesRun {
  readonly campaigns: number;
  /** New definitions of all, in the first partition of a thread and in the next. */
  readonly defineNs: number;
  readonly defineAgainNs: number;
  /** With the next event of its name. */
  readonly editNs: number;
  /** The event that closes the last window of a version that was edited. */
  readonly closeNs: number;
  /** A user with one window leaves. */
  readonly joinNs: number;
  readonly hash: string;
}

const PROPERTIES = { price: 12 };

export function runChanges(campaigns: number, changes: number): ChangesRun {
  const envelopes = new Envelopes();
  const definitions = windowCampaigns(campaigns);
  envelopes.json(RecordKind.control, { type: 'definitions', definitions }, START_MS);
  const defined = envelopes.taken();
  const partition = new DrivenPartition();
  const defineNs = partition.timed(defined);
  const defineAgainNs = new DrivenPartition().timed(defined);
  let atMs = START_MS;
  const open = (user: string, campaign: number) =>
    envelopes.event(user, seen(campaign), ++atMs, PROPERTIES);
  // Every campaign has open windows, so that none can be passed over.
  for (let i = 0; i < campaigns; i++) open(`other-${i}`, i);
  for (let i = 0; i < changes; i++) open(`leaver-${i}`, i % campaigns);
  partition.take(envelopes.taken());
  for (let i = 0; i < changes; i++) {
    const from = { id: `leaver-${i}`, isAnonymous: false };
    const to = { id: `stays-${i}`, isAnonymous: false };
    const leave = { token: `t${i}`, from, to, joinedAtMs: atMs };
    envelopes.json(RecordKind.leave, leave, ++atMs);
    envelopes.seal();
  }
  const joinNs = partition.timed(envelopes.taken()) / changes;
  const { editNs, closeNs } = edits(defined, campaigns, changes);
  return {
    campaigns,
    defineNs,
    defineAgainNs,
    editNs,
    closeNs,
    joinNs,
    hash: partition.hash(),
  };
}

function edits(defined: readonly Uint8Array[], campaigns: number, changes: number) {
  const edited = Math.min(campaigns, changes);
  const partition = new DrivenPartition();
  const envelopes = new Envelopes();
  partition.take(defined);
  let atMs = START_MS;
  const rounds = Math.ceil(changes / edited);
  let [editNs, closeNs] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const { campaigns: later } = windowCampaigns(edited, `${31 + (round % 60)}m`);
    // One window each: it is the last of the version that the edit retires.
    for (let i = 0; i < edited; i++) {
      envelopes.event(`closer-${i}`, seen(i), ++atMs, PROPERTIES);
    }
    partition.take(envelopes.taken());
    for (let i = 0; i < edited; i++) {
      envelopes.json(RecordKind.control, { type: 'delta', campaigns: [later[i]] }, ++atMs);
      envelopes.event('visitor', bought(i), ++atMs, PROPERTIES);
      envelopes.seal();
    }
    editNs += partition.timed(envelopes.taken());
    for (let i = 0; i < edited; i++) {
      envelopes.event(`closer-${i}`, bought(i), ++atMs, PROPERTIES);
      envelopes.seal();
    }
    closeNs += partition.timed(envelopes.taken());
  }
  return { editNs: editNs / (rounds * edited), closeNs: closeNs / (rounds * edited) };
}

/** ns of each campaign that one event of a shared `without` touches. */
export function runShared(campaigns: number, touches: number): number {
  const partition = new DrivenPartition();
  const envelopes = new Envelopes();
  const definitions = sharedCampaigns(campaigns);
  envelopes.json(RecordKind.control, { type: 'definitions', definitions }, START_MS);
  // As many cancelling events of each campaign are remembered, however many campaigns there are.
  const everyMs = Math.max(1, Math.round(campaigns / 10));
  let atMs = START_MS;
  const draw = (count: number) => {
    for (let i = 0; i < count; i++) {
      atMs += everyMs;
      envelopes.event(`user-${i % 5_000}`, ORDER, atMs, PROPERTIES);
    }
    return envelopes.taken();
  };
  const events = Math.max(1, Math.floor(touches / campaigns));
  partition.take(draw(Math.ceil(events / 2)));
  return partition.timed(draw(events)) / (events * campaigns);
}
