/** A place to run `serve` in: folder, definitions, receiver and, on JetStream, a NATS server. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsServerProgram } from '../../scripts/find-nats.mjs';
import { httpProducer, NatsProducer, type Producer } from '../support/event-feed.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import {
  type NatsServer,
  type NatsServerOptions,
  startNatsServer,
} from '../support/nats-server.ts';
import { stablePort } from '../support/ports.ts';
import { Prng } from '../support/prng.ts';
import { ServeProcess } from '../support/serve-process.ts';
import type { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { WebhookSink } from '../support/webhook-sink.ts';
import {
  type Account,
  type Acknowledged,
  accountOf,
  lostOf,
  requireNothingLost,
  requireReceived,
  requireSettledOnce,
  settledOf,
} from './accounts.ts';
import { writeConfig } from './campaigns.ts';
import { inputOf } from './input.ts';
import { type Expected, expectedOf } from './oracle.ts';
import { EmbeddedTopics, JetStreamTopics, type StoredTopics } from './stored-topics.ts';

/** Where a proxy can stand: before NATS (for Lapse), before the doors, before the receiver. */
export type Span = 'nats' | 'door' | 'receiver';

export interface StageOptions {
  readonly campaigns: readonly object[];
  readonly webhook?: Readonly<Record<string, unknown>>;
  readonly engine?: Readonly<Record<string, unknown>>;
  /** Absent: the embedded log. */
  readonly nats?: NatsServerProgram;
  readonly natsOptions?: Omit<NatsServerOptions, 'program'>;
  /** The log is trimmed while nobody looks. @default false */
  readonly isTrimmed?: boolean;
  /** Which door events are brought to. @default NATS where there is one */
  readonly door?: 'http' | 'nats';
  /** Spans with a proxy of their own. */
  readonly faultySpans?: readonly Span[];
  /** Of the proxies. @default 1 */
  readonly seed?: number;
  /** The data folder. @default one of its own */
  readonly data?: string;
  /** Where the data folder lies. @default the temporary folder's */
  readonly disk?: SmallDisk;
}

/** How one `serve` differs from the others of its stage. */
export interface ServeHow {
  readonly port?: number;
  readonly data?: string;
}

interface Parts {
  readonly folder: string;
  readonly data: string;
  readonly config: string;
  readonly sink: WebhookSink;
  readonly nats: NatsServer | undefined;
  readonly port: number;
  readonly proxies: ReadonlyMap<Span, FaultProxy>;
  readonly stored: EmbeddedTopics | undefined;
}

export class Stage {
  readonly folder: string;
  readonly config: string;
  readonly data: string;
  readonly sink: WebhookSink;
  readonly nats: NatsServer | undefined;
  readonly producer: Producer;
  readonly #parts: Parts;
  readonly #openedAtMs = performance.now();
  readonly #isTrimmed: boolean;
  readonly #disk: SmallDisk | undefined;
  readonly #processes: ServeProcess[] = [];
  readonly #natsProducer: NatsProducer | undefined;
  #stored: StoredTopics | undefined;
  /** Of the last reckoning, however it came out. */
  account: Account | undefined;

  private constructor(parts: Parts, options: StageOptions) {
    this.folder = parts.folder;
    this.config = parts.config;
    this.data = parts.data;
    this.sink = parts.sink;
    this.nats = parts.nats;
    this.#parts = parts;
    this.#isTrimmed = options.isTrimmed ?? false;
    this.#disk = options.disk;
    this.#stored = parts.stored;
    if (parts.nats !== undefined && options.door !== 'http') {
      this.#natsProducer = new NatsProducer(parts.nats.url);
    }
    const doorPort = parts.proxies.get('door')?.port ?? parts.port;
    this.producer = this.#natsProducer?.send ?? httpProducer(`http://127.0.0.1:${doorPort}`);
  }

  static async open(options: StageOptions): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'lapse-process-'));
    const { disk } = options;
    const data = options.data ?? join(disk?.mountPoint ?? folder, 'data');
    const seenAt = disk === undefined ? data : join(disk.folder, 'data');
    await mkdir(seenAt, { recursive: true });
    const stored = options.nats === undefined ? new EmbeddedTopics(join(seenAt, 'log')) : undefined;
    const sink = await WebhookSink.start();
    const { nats: program, natsOptions } = options;
    const nats = program && (await startNatsServer({ program, ...natsOptions }));
    const port = await stablePort();
    const targets = { nats: nats?.port, door: port, receiver: sink.port };
    const proxies = new Map<Span, FaultProxy>();
    for (const [n, span] of (options.faultySpans ?? []).entries()) {
      const prng = new Prng((options.seed ?? 1) * 10 + n);
      proxies.set(span, await FaultProxy.start(targets[span]!, prng, await stablePort()));
    }
    const receiverPort = proxies.get('receiver')?.port ?? sink.port;
    const config = await writeConfig(join(folder, 'lapse.json'), {
      ...options,
      urlOf: (webhook) => `http://127.0.0.1:${receiverPort}/${webhook}`,
    });
    return new Stage({ folder, data, config, sink, nats, port, proxies, stored }, options);
  }

  get ageMs(): number {
    return performance.now() - this.#openedAtMs;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#parts.port}`;
  }

  /** @throws Error when no proxy was asked for there */
  proxy(span: Span): FaultProxy {
    const proxy = this.#parts.proxies.get(span);
    if (proxy === undefined) throw new Error(`there is no proxy at '${span}'`);
    return proxy;
  }

  /** Starts `serve`; does not wait for it. */
  serve(how: ServeHow = {}): ServeProcess {
    const { proxies, port } = this.#parts;
    const { config, data, nats } = this;
    const natsPort = proxies.get('nats')?.port ?? nats?.port;
    const process = new ServeProcess({
      config,
      data,
      port,
      ...(this.#disk === undefined ? {} : { enter: this.#disk.enter }),
      ...(natsPort === undefined ? {} : { nats: `nats://127.0.0.1:${natsPort}` }),
      ...how,
    });
    this.#processes.push(process);
    return process;
  }

  /** What stands in the log; on JetStream to be asked for when `serve` has been ready once. */
  async stored(): Promise<StoredTopics> {
    this.#stored ??= await JetStreamTopics.open(this.nats!.url, this.#isTrimmed);
    return this.#stored;
  }

  /** Resolves once all windows are closed and all that is owed is settled. @returns what is owed */
  async settled(process: ServeProcess, timeoutMs = 120_000): Promise<Map<string, Expected>> {
    const stored = await this.stored();
    let state = '';
    await until(
      'all windows are closed',
      async () => {
        await stored.collect();
        const windows = await process.metric('lapse_windows_open');
        const lag = await process.metric('lapse_lag_records');
        state = `${windows} windows are open, ${lag} records unread`;
        return windows === 0 && lag === 0;
      },
      { timeoutMs, pollMs: 100, describe: () => `${state}\n${process.output}` },
    );
    await stored.collect();
    const expected = await expectedOf(inputOf(stored), this.config);
    let missing: Expected[] = [];
    await until(
      'all deliveries are settled',
      async () => {
        await stored.collect();
        const ids = new Set(settledOf(stored).map(({ deliveryId }) => deliveryId));
        missing = [...expected.values()].filter(({ deliveryId }) => !ids.has(deliveryId));
        return missing.length === 0;
      },
      {
        timeoutMs,
        pollMs: 100,
        describe: () =>
          `${missing.length} are missing, among them ${JSON.stringify(missing.slice(0, 5))}\n` +
          process.output,
      },
    );
    return expected;
  }

  /** Resolves once everything acknowledged has reached the log: NATS acknowledges before Lapse. */
  async arrived(feed: Acknowledged, timeoutMs = 60_000): Promise<void> {
    const stored = await this.stored();
    let missing: string[] = [];
    await until(
      'all acknowledged events are in the log',
      async () => {
        await stored.collect();
        missing = lostOf(feed, inputOf(stored));
        return missing.length === 0;
      },
      { timeoutMs, pollMs: 200, describe: () => `Missing: ${missing.join(' ')}` },
    );
  }

  /** Ends `serve` and holds its whole account against what the input demands. */
  async reckon(process: ServeProcess, feed: Acknowledged) {
    await this.arrived(feed);
    await this.settled(process);
    const exitCode = await process.stop();
    if (exitCode !== 0) throw new Error(`serve ended with ${exitCode}:\n${process.output}`);
    const stored = await this.stored();
    await stored.collect();
    const input = inputOf(stored);
    const expected = await expectedOf(input, this.config);
    const settled = settledOf(stored);
    const { requests } = this.sink;
    this.account = accountOf({ feed, input, expected, settled, requests });
    requireNothingLost(feed, input);
    requireSettledOnce(expected, settled);
    requireReceived(expected, settled, requests);
    return { input, expected, settled, account: this.account };
  }

  async close(): Promise<void> {
    for (const process of this.#processes) if (!process.hasEnded) await process.kill();
    for (const proxy of this.#parts.proxies.values()) await proxy.stop();
    await this.#natsProducer?.close();
    await this.#stored?.close();
    await this.sink.stop();
    await this.nats?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
