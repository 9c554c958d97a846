import { endsOf } from './campaign-ends.ts';
import type { Received } from './simulated-receivers.ts';
import { deliveriesIn, recordsIn } from './stored.ts';
import type { WebhookPlan } from './workload.ts';
import type { World } from './world.ts';

/** Clocks show whole ms. */
const ROUNDING_MS = 1;
/** A message that would expire by a hold alone gets its attempt so long before. */
const HOLD_MARGIN_MS = 1_000;

/** No limit of a webhook is ever exceeded, whatever crashed between. */
export function checkPace(
  world: World,
  webhook: WebhookPlan,
  { requests, all }: { readonly requests: readonly Received[]; readonly all: readonly Received[] },
): void {
  checkInFlight(world, webhook, requests);
  checkRate(world, webhook, requests);
  checkHolds(world, webhook, requests);
  checkRetries(world, webhook, requests, all);
}

function checkInFlight(world: World, webhook: WebhookPlan, requests: readonly Received[]): void {
  for (const request of requests) {
    // What a dead process had open is closed.
    const open = requests.filter(
      ({ life, step, answeredStep }) =>
        life === request.life &&
        step <= request.step &&
        (answeredStep === undefined || answeredStep > request.step),
    );
    if (open.length <= webhook.maxInFlight) continue;
    world.problem(`${webhook.id} has ${open.length} requests in flight at ${request.atMs}`);
    return;
  }
}

/** The generic cell rate algorithm, as one who watches from outside. */
function checkRate(world: World, webhook: WebhookPlan, requests: readonly Received[]): void {
  const { rate } = webhook;
  // A rate holds by a clock; where that is set, another one cannot tell.
  if (rate === undefined || world.faults.blows.some(({ kind }) => kind === 'clock')) return;
  const intervalMs = rate.perMs / rate.limit;
  const toleranceMs = intervalMs * (rate.burst - 1) + ROUNDING_MS;
  let arrivalMs = 0;
  for (const { wallMs, webhookId, life } of requests) {
    if (wallMs < arrivalMs - toleranceMs) {
      world.problem(
        `${webhook.id} gets ${webhookId} from ${life.name} at ${wallMs}, its rate lets it go at ${arrivalMs - toleranceMs}`,
      );
    }
    arrivalMs = Math.max(arrivalMs, wallMs) + intervalMs;
  }
}

/** `Retry-After` holds the whole webhook back. */
function checkHolds(world: World, webhook: WebhookPlan, requests: readonly Received[]): void {
  const holds = requests.flatMap(({ answer, answeredStep, answeredWallMs, life }) => {
    if (answer === undefined || !('status' in answer) || answer.retryAfter === undefined) return [];
    const untilMs = answeredWallMs! + Number(answer.retryAfter) * 1_000;
    return [{ life, step: answeredStep!, askedAtMs: answeredWallMs!, untilMs }];
  });
  for (const { record, envelope } of recordsIn(world.archive, webhook.id)) {
    if (record.kind !== 'retry' || record.holdUntilMs === 0) continue;
    const askedAtMs = record.startedAtMs + record.durationMs;
    const { holdUntilMs: untilMs } = record;
    holds.push({ life: undefined!, step: envelope.step, askedAtMs, untilMs });
  }
  // By the end of its campaign a message is of no use any more either.
  const expiries = deliveriesIn(world.archive, webhook.id).flatMap(({ delivery }) => [
    delivery.expiresAtMs,
    ...endsOf(world, delivery.campaignId).map((endMs) => endMs + 1),
  ]);
  for (const { life, step, webhookId, wallMs } of requests) {
    const hold = holds.find(
      (one) =>
        (one.life === undefined || one.life === life) && step > one.step && wallMs < one.untilMs,
    );
    if (hold === undefined) continue;
    const { askedAtMs } = hold;
    if (expiries.some((atMs) => atMs > askedAtMs && atMs - HOLD_MARGIN_MS - ROUNDING_MS <= wallMs))
      continue;
    world.problem(`${webhookId} went to ${webhook.id} at ${wallMs}, held until ${hold.untilMs}`);
  }
}

function checkRetries(
  world: World,
  webhook: WebhookPlan,
  requests: readonly Received[],
  all: readonly Received[],
): void {
  const { retryMs } = webhook;
  for (const [i, request] of requests.entries()) {
    const { webhookId, life, attempt, wallMs } = request;
    const earlier = requests.slice(0, i).filter((one) => one.webhookId === webhookId);
    const last = earlier.at(-1);
    const made = all.filter((one) => one.webhookId === webhookId && one.step < request.step);
    const known = Math.max(0, ...made.map((one) => one.attempt));
    if (attempt > known + 1) world.problem(`${webhookId}: attempt ${attempt} follows ${known}`);
    if (last === undefined || last.life !== life) continue;
    if (attempt !== last.attempt + 1) {
      world.problem(`${webhookId}: attempt ${attempt} follows ${last.attempt}`);
    }
    const waitMs = retryMs[Math.min(last.attempt, retryMs.length) - 1]!;
    const dueAtMs = (last.answeredWallMs ?? Number.POSITIVE_INFINITY) + waitMs;
    if (wallMs >= dueAtMs) continue;
    world.problem(`${webhookId}: attempt ${attempt} at ${wallMs}, it was due at ${dueAtMs}`);
  }
  for (const { record, envelope } of recordsIn(world.archive, webhook.id)) {
    if (record.kind !== 'retry') continue;
    // The plan is for the next one: those after it have plans of their own, by a clock set since.
    const next = requests.find(
      ({ webhookId, step }) => webhookId === record.webhookId && step > envelope.step,
    );
    if (next === undefined || next.wallMs >= record.retryAtMs) continue;
    world.problem(`${record.webhookId}: sent at ${next.wallMs}, planned for ${record.retryAtMs}`);
  }
}
