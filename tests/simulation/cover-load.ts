import type { Coverage, Feature } from './coverage.ts';
import type { OracleEvent } from './oracle-records.ts';
import { deliveriesIn, inputOf, settledIn } from './stored.ts';
import type { PlannedEvent } from './workload.ts';
import type { World } from './world.ts';

const LATE_MS = 1_000;
const CLAMP_MS = 5 * 60_000;

const REASONS: Readonly<Record<string, Feature>> = {
  expired: 'delivery expired',
  cancelled: 'delivery cancelled',
  'targeting-cap': 'delivery beyond the targeting cap',
  'campaign-ended': 'delivery behind the end of its campaign',
};

/** Counts what a run has met, as far as it shows in what the log holds and receivers have seen. */
export function coverLoad(world: World): void {
  const { coverage } = world.scheduler;
  coverChains(world);
  for (let partition = 0; partition < world.workload.partitionCount; partition++) {
    coverEvents(world, partition);
    coverage.met('log trimmed', world.archive.of(`trim.${partition}`).length);
  }
  for (const { id } of world.workload.versions[0]!.plan.webhooks) coverLane(world, id);
  for (const { attempt } of world.receivers.received) {
    if (attempt > 1) coverage.met('delivery sent again');
  }
}

/** A user who has got another one's state, and gives it away in turn. */
function coverChains({ archive, plans, workload, scheduler }: World): void {
  const leaves = Array.from({ length: workload.partitionCount }, (_, partition) =>
    inputOf(archive, partition, plans),
  )
    .flat()
    .filter((record) => record.kind === 'leave');
  const left = new Set(leaves.map(({ from }) => `${from.user} ${from.isAnonymous}`));
  for (const { to } of leaves) {
    if (left.has(`${to.user} ${to.isAnonymous}`)) scheduler.coverage.met('join along a chain');
  }
}

function coverEvents({ archive, plans, producer, scheduler }: World, partition: number): void {
  const { coverage } = scheduler;
  const newestMs = new Map<string, number>();
  for (const record of inputOf(archive, partition, plans)) {
    if (record.kind !== 'event' || record.isMoved) continue;
    coverage.met('event of a door');
    const { user, isAnonymous, eventAtMs } = record;
    const key = `${user} ${isAnonymous}`;
    const newest = newestMs.get(key) ?? 0;
    if (eventAtMs < newest) coverage.met('event out of order');
    newestMs.set(key, Math.max(newest, eventAtMs));
    coverEvent(coverage, record);
    const planned = producer.tries.get(String(record.facts.id))?.[0]?.event;
    if (planned !== undefined) coverPlanned(coverage, planned);
  }
}

function coverEvent(coverage: Coverage, event: OracleEvent): void {
  const { historyOnly, eventAtMs, receivedAtMs, type } = event;
  if (historyOnly) coverage.met('event for history only');
  else if (receivedAtMs - eventAtMs > LATE_MS) coverage.met('event over 1 s late');
  else if (eventAtMs > receivedAtMs) coverage.met('event ahead of its receipt');
  if (type === 'identify') coverage.met('profile changed');
}

function coverPlanned(coverage: Coverage, { ageMs = 0, skewMs, type, joins }: PlannedEvent): void {
  if (skewMs !== undefined) coverage.met('event of a skewed clock');
  const isClamped = -ageMs > CLAMP_MS && -ageMs < 24 * 60 * 60_000;
  if (isClamped) coverage.met('event too far ahead, taken as now');
  if (type === 'identify' && joins !== undefined) coverage.met('join by identify');
}

function coverLane({ archive, scheduler }: World, webhook: string): void {
  const { coverage } = scheduler;
  const batches = new Set<string>();
  const settled = new Set<string>();
  for (const { id, record } of settledIn(archive, webhook)) {
    if (record.members.length > 1 && !batches.has(record.webhookId)) {
      batches.add(record.webhookId);
      coverage.met('batch of several');
    }
    if (settled.has(id)) continue;
    settled.add(id);
    if (record.outcome === 'delivered') coverage.met('delivery delivered');
    else coverage.met(REASONS[record.reason] ?? 'delivery refused for good');
  }
  coverage.met('delivery', deliveriesIn(archive, webhook).length);
}
