/**
 * Looks after what nobody reports by himself: timers that stand still, threads that have gone
 * silent, a door that reads a backlog. The rest reports itself, see `Conditions`.
 */
import type { Cause } from '../../engine/health/causes.ts';
import type { Condition, ConditionReporter, Conditions } from '../../engine/health/conditions.ts';
import type { Clock } from '../../engine/time/clock.ts';
import type { PartitionStats } from '../../engine/worker/protocol.ts';

export interface ReadinessOptions {
  readonly clock: Clock;
  readonly conditions: Conditions;
  readonly intake: { readonly isCatchingUp: boolean };
  readonly partitions: { readonly stats: readonly (PartitionStats | undefined)[] };
  readonly sender: { readonly stats: unknown };
}

const LOOK_MS = 1_000;
/** So long a partition may have something to do and get nowhere: a slow disk takes that long. */
export const STILL_MS_MAX = 5_000;
/** Threads tell their counts four times a second. */
const SILENT_LOOKS_MAX = 5;

/** What was heard of a thread at the last look, and for how many looks nothing new. */
interface Heard {
  stats: unknown;
  silentLooks: number;
}

export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #reporter: ConditionReporter;
  readonly #heard = new Map<string, Heard>();
  #cancel: (() => void) | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#reporter = options.conditions.from('readiness');
    this.#reporter.begin('starting', '', 'Lapse is starting: the partitions are recovering.');
  }

  /** To be called when everything runs. */
  started(): void {
    this.#reporter.over('starting', '');
    this.#lookLater();
  }

  stopping(): void {
    this.#cancel?.();
    this.#reporter.begin('stopping', '', 'Lapse is stopping.');
  }

  /** Why it is not ready at this moment; none when it is. */
  reasons(): readonly Condition[] {
    this.#lookAtCounts();
    return this.#options.conditions.blocking();
  }

  #lookLater(): void {
    const { clock } = this.#options;
    this.#cancel = clock.at(clock.now() + LOOK_MS, () => {
      this.#lookAtCounts();
      this.#lookForSilence();
      this.#lookLater();
    });
  }

  #lookAtCounts(): void {
    const { intake, partitions } = this.#options;
    this.#set(
      'door-behind',
      intake.isCatchingUp,
      'The NATS door reads what came earlier; until it has, the other doors take nothing.',
    );
    const stillMs = partitions.stats.reduce((most, one) => Math.max(most, one?.stillMs ?? 0), 0);
    this.#set(
      'timers-late',
      stillMs > STILL_MS_MAX,
      `A partition has had timers due, or records unread, for ${Math.round(stillMs / 1000)} s and gets nowhere.`,
    );
  }

  /** By looks and not by the clock: a main thread that was busy itself has heard of nobody. */
  #lookForSilence(): void {
    const { partitions, sender } = this.#options;
    const silent = partitions.stats.findIndex((stats, i) => this.#isSilent(`worker ${i}`, stats));
    this.#set(
      'partition-stopped',
      silent !== -1,
      `Worker ${silent} has said nothing for ${SILENT_LOOKS_MAX} s: its partitions stand still.`,
    );
    this.#set(
      'sender-stuck',
      this.#isSilent('sender', sender.stats),
      `The sender's thread has said nothing for ${SILENT_LOOKS_MAX} s: no delivery leaves.`,
    );
  }

  #isSilent(name: string, stats: unknown): boolean {
    const heard = this.#heard.get(name) ?? { stats: undefined, silentLooks: 0 };
    this.#heard.set(name, heard);
    heard.silentLooks = heard.stats === stats ? heard.silentLooks + 1 : 0;
    heard.stats = stats;
    return heard.silentLooks >= SILENT_LOOKS_MAX;
  }

  #set(cause: Cause, isOpen: boolean, message: string): void {
    if (isOpen) this.#reporter.begin(cause, '', message);
    else this.#reporter.over(cause, '');
  }
}
