/**
 * How often each fault is tried, and the table of what came of it: once or twice in `npm test`,
 * in full size by `npm run faults`.
 */
import { appendFileSync } from 'node:fs';
import { EventFeed, planEvents } from '../../support/event-feed.ts';
import type { ServeProcess } from '../../support/serve-process.ts';
import { until } from '../../support/until.ts';
import type { Stage } from '../stage.ts';

export const SEED = Number(process.env.LAPSE_FAULTS_SEED ?? 1);
export const KILLS = process.env.LAPSE_FAULTS_KILLS;
const TIMES = process.env.LAPSE_FAULTS_TIMES;
const RESULTS = process.env.LAPSE_FAULTS_RESULTS;

/** @param small in `npm test` */
export function times(small: number): number {
  return TIMES === undefined ? small : Number(TIMES);
}

/** So many events of the seed, joins among them, and who sends them. */
export function feedOf({ producer }: Stage, count: number): EventFeed {
  const events = planEvents({ seed: SEED, count, users: 60, hasJoins: true });
  return new EventFeed(events, producer, SEED);
}

/** A line of the table. */
export interface Trial {
  readonly fault: string;
  readonly log: string;
  readonly tried: number;
  readonly acknowledged?: number;
  readonly joined?: number;
  readonly owed?: number;
  /** How long it took, seconds. */
  readonly s?: number;
  readonly lost: number;
  readonly doubled: number;
}

export function report(trial: Trial): void {
  if (RESULTS !== undefined) appendFileSync(RESULTS, `${JSON.stringify(trial)}\n`);
}

/** Ends the run with its account, and writes the line however it comes out. */
export async function reckon(
  run: { readonly stage: Stage; readonly serve: ServeProcess; readonly feed: EventFeed },
  trial: Pick<Trial, 'fault' | 'log' | 'tried'>,
) {
  const { stage, serve, feed } = run;
  try {
    return await stage.reckon(serve, feed);
  } finally {
    // Not even an account: something hangs, which counts as all of it lost.
    const { size } = feed.acknowledged;
    const account = stage.account ?? { acknowledged: size, lost: size, doubled: 0 };
    report({ ...trial, ...account, s: Math.round(stage.ageMs / 1_000) });
  }
}

/** Resolves after so long, unless `serve` ends by itself meanwhile. */
export async function lives(serve: ServeProcess, forMs: number): Promise<void> {
  const endsAtMs = performance.now() + forMs;
  await until(
    'the time is over',
    () => {
      if (serve.hasEnded) throw new Error(`serve ended by itself:\n${serve.output}`);
      return performance.now() >= endsAtMs;
    },
    { timeoutMs: forMs + 10_000 },
  );
}
