import { createHmac } from 'node:crypto';
import { checkPace } from './check-pace.ts';
import type { Received } from './simulated-receivers.ts';
import { deliveriesIn, type StoredDelivery, type StoredSettlement, settledIn } from './stored.ts';
import type { WebhookPlan } from './workload.ts';
import type { World } from './world.ts';

const KEY = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');

/** Every request is one that had to be made, as it had to be, when it might be. */
export function checkSending(world: World): void {
  for (const webhook of world.workload.versions[0]!.plan.webhooks) {
    const all = world.receivers.received.filter(({ lane }) => lane === webhook.id);
    const requests = all.filter((request) => !isZombies(world, request));
    checkContents(world, webhook, requests);
    checkStops(world, requests);
    checkPace(world, webhook, { requests, all });
  }
}

/**
 * Sent by one that had been replaced and did not know yet. It may repeat what the new one sends,
 * as a receiver must expect; what it settles is another check's.
 */
export function isZombies({ processes }: World, { life, step }: Received): boolean {
  const sender = processes.find(({ senderLife }) => senderLife === life);
  return step > (sender?.takenOverStep ?? Number.POSITIVE_INFINITY);
}

/** What was delivered before a clean stop had ended is written down by then. */
function checkStops(world: World, requests: readonly Received[]): void {
  for (const { senderLife, stoppedStep, takenOverStep } of world.processes) {
    if (stoppedStep === undefined || takenOverStep < stoppedStep) continue;
    for (const { life, webhookId, answer } of requests) {
      if (life !== senderLife || answer === undefined || !('status' in answer)) continue;
      const again = requests.find((one) => one.webhookId === webhookId && one.step > stoppedStep);
      if (answer.status !== 200 || again === undefined) continue;
      world.problem(`${webhookId} was delivered before ${life.name} stopped, and sent again`);
    }
  }
}

function checkContents(world: World, webhook: WebhookPlan, requests: readonly Received[]): void {
  const deliveries = new Map<string, StoredDelivery>();
  for (const one of deliveriesIn(world.archive, webhook.id)) deliveries.set(one.delivery.id, one);
  const batches = new Map<string, StoredSettlement>();
  for (const one of settledIn(world.archive, webhook.id)) {
    if (!batches.has(one.record.webhookId)) batches.set(one.record.webhookId, one);
  }
  const bodies = new Map<string, string>();
  for (const request of requests) {
    const { webhookId, body, wallMs } = request;
    const wrong = (what: string) =>
      world.problem(
        `request ${webhookId} of ${request.life.name}, attempt ${request.attempt}: ${what}`,
      );
    const batch = batches.get(webhookId);
    if (batch === undefined) {
      wrong('its deliveries went out under another id as well');
      continue;
    }
    const members = batch.record.members.map(({ id }) => deliveries.get(id)!.delivery);
    const { profiles } = JSON.parse(body) as { profiles: unknown[] };
    const owed = members.map((member) => JSON.stringify(JSON.parse(member.body)));
    if (JSON.stringify(profiles) !== `[${owed.join()}]`) wrong(`it says ${body}`);
    if ((bodies.get(webhookId) ?? body) !== body) wrong('its body has changed');
    bodies.set(webhookId, body);
    if (members.length > webhook.batchMax) wrong(`it has ${members.length} members`);
    if (new Set(members.map(({ campaignId }) => campaignId)).size > 1) wrong('campaigns are mixed');
    if (members.length === 1 && webhookId !== members[0]!.id) wrong('it has not the id of its own');
    const untilMs = Math.min(...members.map(({ expiresAtMs }) => expiresAtMs));
    if (wallMs >= untilMs) wrong(`it was sent at ${wallMs}, it had until ${untilMs}`);
    if (request.step > batch.envelope.step) wrong('it was sent after it was known to be done');
    checkHeaders(request, wrong);
  }
}

function checkHeaders(
  { webhookId, body, headers, wallMs }: Received,
  wrong: (what: string) => void,
) {
  const timestamp = String(Math.floor(wallMs / 1_000));
  if (headers['webhook-timestamp'] !== timestamp) wrong('its time is not that of the attempt');
  const signed = createHmac('sha256', KEY).update(`${webhookId}.${timestamp}.${body}`);
  if (headers['webhook-signature'] !== `v1,${signed.digest('base64')}`)
    wrong('its signature is wrong');
}
