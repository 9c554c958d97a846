import type { EventLine } from '../../connectors/doors/file/event-lines.ts';
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '../../connectors/events/event-limits.ts';
import type { Repairs } from '../../connectors/events/repairs.ts';
import type { DeliveryOutcome } from '../../engine/envelope/outcomes.ts';
import { deliveryOutcome } from '../../engine/sender/outcome-relay.ts';
import type { SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { laneDefinitions } from '../../operators/delivery/lane-definitions.ts';
import { outcomesOf } from '../../operators/delivery/log-lane.ts';
import type { Report } from '../../operators/report/decision.ts';
import { ScriptedReceiver } from './scripted-receiver.ts';
import { type Accepted, SimulatedCampaigns } from './simulated-campaigns.ts';
import { type PartitionOutput, SimulatedPartitions } from './simulated-partitions.ts';
import { SimulatedSender } from './simulated-sender.ts';
import { type SimulationLine, SimulationLines } from './simulation-lines.ts';

export interface SimulationOptions {
  readonly definitions: Definitions;
  readonly lines: AsyncIterable<EventLine>;
  /** The receiver's script as parsed; absent: 200 at once. */
  readonly receiver?: unknown;
  /** When campaigns are published, Unix ms. @default the receipt of the first line */
  readonly fromMs?: number;
  /** Nothing later than this happens, Unix ms. @default until nothing is pending */
  readonly untilMs?: number;
  /** @default 1 */
  readonly partitionCount?: number;
  /** @default 5_000 */
  readonly reorderWindowMs?: number;
  readonly limits?: EventLimits;
  readonly userAgent: string;
  /** Takes one line of output, in order of time. */
  readonly write: (line: Readonly<Record<string, unknown>>) => void;
}

export interface SimulationSummary {
  readonly lines: number;
  readonly events: number;
  readonly rejected: number;
  /** What was changed in events that went through. */
  readonly repairs: Readonly<Repairs>;
  readonly duplicates: number;
  readonly qualified: number;
  /** Refused by a gate. */
  readonly suppressed: number;
  readonly converted: number;
  readonly attempts: number;
  readonly delivered: number;
  readonly failed: number;
  readonly windowsOpened: number;
  readonly windowsCancelled: number;
  /** A 26th window of a user and campaign, or properties too large to keep. */
  readonly windowsRefused: number;
  /** Still open at the end. */
  readonly windowsOpen: number;
  readonly deliveriesPending: number;
  /** Simulated time at the end, Unix ms; 0 when nothing happened. */
  readonly endedAtMs: number;
}

/**
 * Runs operators, gates, rendering and delivery over a file of events on a simulated clock, with
 * no network. At one instant: lines in order, then what is due, then what the lanes do.
 * @throws LapseError `ERR_RECEIVER`, `ERR_FILE_…`
 */
export async function simulate(options: SimulationOptions): Promise<SimulationSummary> {
  const simulation = new Simulation(options);
  for await (const line of options.lines) simulation.line(line);
  return simulation.end();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #untilMs: number;
  readonly #lines: SimulationLines;
  readonly #partitions: SimulatedPartitions;
  readonly #sender: SimulatedSender;
  readonly #campaigns: SimulatedCampaigns;
  /** What the lanes have settled at this instant, for the partitions that asked. */
  #untold: DeliveryOutcome[] = [];
  #nowMs = 0;
  #isPublished = false;
  readonly #counts = {
    lines: 0,
    rejected: 0,
    qualified: 0,
    suppressed: 0,
    converted: 0,
    attempts: 0,
    delivered: 0,
    failed: 0,
  };

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#untilMs = options.untilMs ?? Infinity;
    this.#lines = new SimulationLines(options.limits ?? DEFAULT_EVENT_LIMITS);
    this.#partitions = new SimulatedPartitions(
      options.partitionCount ?? 1,
      options.reorderWindowMs ?? 5_000,
    );
    this.#campaigns = new SimulatedCampaigns(options.definitions);
    this.#sender = new SimulatedSender({
      receiver: new ScriptedReceiver(options.receiver),
      userAgent: options.userAgent,
      listener: {
        attempt: (webhook, attempt, result) => this.#onAttempt(webhook, attempt, result),
        record: (record) => {
          for (const outcome of outcomesOf(record)) this.#onOutcome(outcome);
        },
      },
    });
  }

  line(raw: EventLine): void {
    this.#counts.lines++;
    const line = this.#lines.read(raw);
    if (line.atMs !== undefined) this.#publish(this.#options.fromMs ?? line.atMs, line.atMs);
    const atMs = line.atMs ?? this.#lines.lastAtMs ?? this.#options.fromMs ?? 0;
    if (Math.max(atMs, this.#nowMs) > this.#untilMs) return;
    if (line.atMs !== undefined) {
      this.#passTimeBefore(line.atMs);
      this.#nowMs = Math.max(this.#nowMs, line.atMs);
    }
    if (line.kind !== 'rejected') this.#take(line, raw.lineNumber);
    else this.#reject(raw.lineNumber, line.code, line.message, Math.max(atMs, this.#nowMs));
  }

  end(): SimulationSummary {
    this.#publish(this.#options.fromMs ?? 0, Infinity);
    this.#passTimeBefore(Infinity);
    const { events, duplicates, ...windows } = this.#partitions.counters;
    return {
      ...this.#counts,
      repairs: this.#lines.repairs,
      events,
      duplicates,
      windowsOpened: windows.windowsOpened,
      windowsCancelled: windows.windowsCancelled,
      windowsRefused: windows.windowsRefused,
      windowsOpen: this.#partitions.openWindows,
      deliveriesPending: this.#sender.pendingCount,
      endedAtMs: Math.max(this.#nowMs, Number.isFinite(this.#untilMs) ? this.#untilMs : 0),
    };
  }

  /** Publishes the campaigns once, as soon as `uptoMs` is not before the time of it. */
  #publish(atMs: number, uptoMs: number): void {
    if (this.#isPublished || uptoMs < atMs || atMs > this.#untilMs) return;
    this.#isPublished = true;
    this.#passTimeBefore(atMs);
    this.#nowMs = Math.max(this.#nowMs, atMs);
    this.#campaigns.publish();
    const { definitions } = this.#campaigns;
    this.#control({ control: { type: 'definitions', definitions } });
  }

  #take(line: Exclude<SimulationLine, { kind: 'rejected' }>, lineNumber: number): void {
    if (line.kind === 'event') {
      this.#handle(this.#partitions.event(line.event, line.atMs));
      return;
    }
    const { atMs } = line;
    const answer =
      line.kind === 'apply'
        ? this.#campaigns.apply(line.config)
        : this.#campaigns.act(line.control, line.campaign);
    if ('code' in answer) this.#reject(lineNumber, answer.code, answer.message, atMs);
    else this.#control(answer);
  }

  /** A change reaches the partitions first, and the lanes at the same instant. */
  #control({ control }: Accepted): void {
    if (control !== undefined) this.#handle(this.#partitions.control(control, this.#nowMs));
    const { definitions, lives } = this.#campaigns;
    this.#sender.update(laneDefinitions(definitions, lives), this.#nowMs);
    this.#tellOutcomes();
  }

  /** Does everything that comes before the lines of `atMs`. */
  #passTimeBefore(atMs: number): void {
    for (;;) {
      const next = Math.max(
        this.#nowMs,
        Math.min(this.#partitions.nextTurnAtMs(), this.#sender.nextAtMs(this.#nowMs)),
      );
      if (next >= atMs || next > this.#untilMs) return;
      this.#nowMs = next;
      if (this.#partitions.nextTurnAtMs() <= next) this.#handle(this.#partitions.tick(next));
      this.#sender.run(next);
      this.#tellOutcomes();
    }
  }

  /** In the order in which the lanes settled them, once the lanes are done with this instant. */
  #tellOutcomes(): void {
    const outcomes = this.#untold;
    this.#untold = [];
    for (const outcome of outcomes) this.#handle(this.#partitions.outcome(outcome));
    for (const campaign of this.#sender.takeCompleted()) {
      this.#control(this.#campaigns.complete(campaign));
    }
  }

  #handle(outputs: readonly PartitionOutput[]): void {
    for (const { report, delivery, webhook } of outputs) {
      if (report !== undefined) this.#tell(report);
      if (delivery !== undefined) this.#sender.offer(webhook!, [delivery], this.#nowMs);
    }
  }

  #tell(report: Report): void {
    const { atMs, campaignId: campaign, userId: user } = report;
    const { type } = report;
    if (type === 'qualified') {
      this.#counts.qualified++;
      this.#write(atMs, { type, campaign, user, window: report.window });
    } else if (type === 'suppressed') {
      this.#counts.suppressed++;
      this.#write(atMs, { type, campaign, user, reason: report.reason });
    } else if (type === 'deferred') {
      const until = new Date(report.untilMs).toISOString();
      this.#write(atMs, { type, campaign, user, reason: report.reason, until });
    } else {
      const { group, revenue } = report;
      this.#counts.converted++;
      const line = { type, campaign, user, group };
      this.#write(atMs, revenue === undefined ? line : { ...line, revenue });
    }
  }

  #onAttempt(webhook: string, attempt: SenderAttempt, result: TransportResult): void {
    const { method, url, headers, body } = attempt.request;
    this.#counts.attempts++;
    this.#write(attempt.startedAtMs, {
      type: 'attempt',
      webhook,
      campaign: attempt.campaignId,
      users: attempt.members.map(({ userId }) => userId),
      attempt: attempt.attempt,
      ...('error' in result ? { error: result.error } : { status: result.status }),
      request: {
        method,
        url,
        headers,
        body: body === undefined ? '' : Buffer.from(body).toString(),
      },
    });
  }

  #onOutcome(outcome: ReturnType<typeof outcomesOf>[number]): void {
    const { campaignId: campaign, userId: user, atMs } = outcome;
    if (outcome.isWanted) this.#untold.push(deliveryOutcome(outcome));
    if (outcome.outcome === 'delivered') {
      this.#counts.delivered++;
      this.#write(atMs, { type: 'delivered', campaign, user, id: outcome.deliveryId });
    } else {
      this.#counts[outcome.outcome]++;
      this.#write(atMs, { type: outcome.outcome, campaign, user, reason: outcome.reason });
    }
  }

  #reject(line: number, code: string, message: string, atMs: number): void {
    this.#counts.rejected++;
    this.#write(atMs, { type: 'rejected', line, code, message });
  }

  #write(atMs: number, line: Readonly<Record<string, unknown>>): void {
    this.#options.write({ at: new Date(atMs).toISOString(), ...line });
  }
}
