/** Entry of the sender's thread: wires log, lanes and HTTP together. */
import { parentPort, workerData } from 'node:worker_threads';
import { EgressGuard, type OwnEndpoint } from '../../connectors/webhook/egress/egress-guard.ts';
import { WebhookTransport } from '../../connectors/webhook/webhook-transport.ts';
import { LapseError, messageOf } from '../../engine/errors/errors.ts';
import { reportingTo } from '../../engine/health/conditions.ts';
import type { FromSenderThread, ToSenderThread } from '../../engine/sender/protocol.ts';
import { Sender } from '../../engine/sender/sender.ts';
import { systemClock } from '../../engine/time/clock.ts';
import { threadError } from '../../engine/worker/partition-worker.ts';
import type { Definitions } from '../../operators/definitions.ts';
import type { LaneDefinitions } from '../../operators/delivery/lane-campaigns.ts';
import { laneDefinitions } from '../../operators/delivery/lane-definitions.ts';
import { LogLane } from '../../operators/delivery/log-lane.ts';
import { judge } from '../../operators/delivery/verdict.ts';
import type { Life } from '../../operators/router/campaign-entry.ts';
import { connectLog, type LogAddress } from './log-home.ts';
import { ReceiverHealth } from './receiver-health.ts';
import { SenderCounts } from './sender-counts.ts';

/** What lanes go by. Crosses threads by structured clone. */
export interface SenderDefinitions {
  readonly definitions: Definitions;
  readonly lives: ReadonlyMap<string, Life>;
}

export interface SenderThreadData {
  readonly log: LogAddress;
  readonly epoch: number;
  readonly sending: SenderDefinitions;
  readonly userAgent: string;
  readonly egress: { readonly allow: readonly string[]; readonly own: readonly OwnEndpoint[] };
}

const STATS_INTERVAL_MS = 250;

async function main(data: SenderThreadData): Promise<void> {
  const port = parentPort!;
  const post = (message: FromSenderThread) => port.postMessage(message);
  const conditions = reportingTo((report) => post({ kind: 'condition', report }));
  const log = await connectLog(data.log, conditions);
  const transport = new WebhookTransport({
    clock: systemClock,
    guard: new EgressGuard(data.egress),
  });
  let lanes = lanesOf(data.sending);
  const onWarning = (lane: string, error: LapseError) =>
    post({ kind: 'warning', lane, error: threadError(error) });
  const receivers = new ReceiverHealth({
    now: () => systemClock.now(),
    conditions,
    onWarning,
    isTaken: (lane, result) =>
      judge(result, lanes.get(lane)?.webhook.success ?? '2xx').kind === 'delivered',
  });
  const counts = new SenderCounts(conditions, {
    receivers,
    onWarning,
    onCompleted: (campaign) => post({ kind: 'completed', campaign }),
    onFatal: (error) => post({ kind: 'failed', error: threadError(error) }),
  });
  const sender = new Sender<LaneDefinitions>({
    log,
    clock: systemClock,
    epoch: data.epoch,
    transport,
    observer: counts,
    createLane: (_webhookId, definitions) =>
      new LogLane({ ...definitions, userAgent: data.userAgent }),
  });
  await sender.update(lanes);
  const postStats = () => {
    receivers.tick();
    const stats = counts.toStats(sender.pendingCounts(), sender.lookAtUnread());
    post({ kind: 'stats', stats });
  };
  const timer = setInterval(postStats, STATS_INTERVAL_MS);
  post({ kind: 'ready' });
  const define = (id: number, sending: SenderDefinitions) => {
    lanes = lanesOf(sending);
    sender.update(lanes).then(
      () => post({ kind: 'defined', id }),
      (error: unknown) => post({ kind: 'failed', error: threadError(error) }),
    );
  };
  port.on('message', (message: ToSenderThread<SenderDefinitions>) => {
    if (message.kind === 'define') define(message.id, message.definitions);
    if (message.kind !== 'drain') return;
    clearInterval(timer);
    sender
      .drain()
      .then(async () => {
        postStats();
        await transport.close();
        await log.close();
        post({ kind: 'drained' });
        port.close();
      })
      .catch((error: unknown) => post({ kind: 'failed', error: threadError(error) }));
  });
}

function lanesOf({ definitions, lives }: SenderDefinitions) {
  return laneDefinitions(definitions, lives);
}

main(workerData as SenderThreadData).catch((error: unknown) => {
  const wrapped =
    error instanceof LapseError ? error : new LapseError('ERR_SENDER', messageOf(error));
  parentPort!.postMessage({ kind: 'failed', error: threadError(wrapped) });
});
