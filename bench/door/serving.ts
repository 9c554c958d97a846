/** The real engine in this process, with a webhook that is all but shut: the sender stands still. */

import { Lapse } from '../../app/serve/lapse.ts';
import { type RuntimeSettings, resolveRuntime } from '../../config/definitions/runtime.ts';
import type { LapseError } from '../../engine/errors/errors.ts';
import { shopDefinitions } from '../workload/campaigns.ts';

/** One request a minute to a port where nobody listens. */
const SHUT_WEBHOOK = { url: 'http://127.0.0.1:9/none', rate: { limit: 1, per: '1m' } };
const LOOK_EVERY_MS = 10;

export interface ServingOptions {
  readonly data: string;
  readonly campaigns: number;
  readonly workers: number;
  /** Absent: the embedded log. */
  readonly nats?: string | undefined;
}

export interface Serving {
  readonly lapse: Lapse;
  /** Resolves when so many events are processed and their outputs stand in the lane. */
  processed(events: number, onLook?: (events: number) => void): Promise<void>;
  stop(): Promise<void>;
}

export async function startServing(options: ServingOptions): Promise<Serving> {
  const { data, campaigns, workers, nats } = options;
  const flags = { data, port: '0', egress: '127.0.0.1', ...(nats === undefined ? {} : { nats }) };
  const settings: RuntimeSettings = resolveRuntime(flags, {}, { 'engine.workers': workers });
  let failure: LapseError | undefined;
  const lapse = await Lapse.start({
    definitions: shopDefinitions(campaigns, SHUT_WEBHOOK),
    settings,
    onWarning: (where, error) => process.stderr.write(`${where}: ${error.message}\n`),
    onCondition: {
      began: ({ message }) => process.stderr.write(`${message}\n`),
      over: () => {},
    },
    onFailure: (error) => {
      failure = error;
    },
  });
  return {
    lapse,
    async processed(events, onLook) {
      for (;;) {
        if (failure !== undefined) throw failure;
        const overview = lapse.overview();
        onLook?.(overview.events);
        if (overview.events >= events && (await outputsWaiting(lapse.url)) === 0) return;
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
    },
    stop: () => lapse.stop(),
  };
}

async function outputsWaiting(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^lapse_outputs_waiting (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}
