/** A place to run `serve` in: folder, definitions, receiver and, on JetStream, a NATS server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsServerProgram } from '../../scripts/find-nats.mjs';
import { httpProducer, NatsProducer, type Producer } from '../support/event-feed.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { ServeProcess, stablePort } from '../support/serve-process.ts';
import { until } from '../support/until.ts';
import { WebhookSink } from '../support/webhook-sink.ts';
import { requireNothingLost, requireReceived, requireSettledOnce, settledOf } from './accounts.ts';
import { writeConfig } from './campaigns.ts';
import { type Expected, expectedOf, inputOf } from './oracle.ts';
import { EmbeddedTopics, JetStreamTopics, type StoredTopics } from './stored-topics.ts';

export interface StageOptions {
  readonly campaigns: readonly object[];
  readonly webhook?: Readonly<Record<string, unknown>>;
  readonly engine?: Readonly<Record<string, unknown>>;
  /** Absent: the embedded log. */
  readonly nats?: NatsServerProgram;
  /** The log is trimmed while nobody looks. @default false */
  readonly isTrimmed?: boolean;
}

export class Stage {
  readonly folder: string;
  readonly config: string;
  readonly sink: WebhookSink;
  readonly nats: NatsServer | undefined;
  readonly producer: Producer;
  readonly #port: number;
  readonly #isTrimmed: boolean;
  readonly #processes: ServeProcess[] = [];
  readonly #natsProducer: NatsProducer | undefined;
  #stored: StoredTopics | undefined;

  private constructor(parts: {
    folder: string;
    config: string;
    sink: WebhookSink;
    nats: NatsServer | undefined;
    port: number;
    isTrimmed: boolean;
  }) {
    this.folder = parts.folder;
    this.config = parts.config;
    this.sink = parts.sink;
    this.nats = parts.nats;
    this.#port = parts.port;
    this.#isTrimmed = parts.isTrimmed;
    this.#natsProducer = parts.nats && new NatsProducer(parts.nats.url);
    this.producer = this.#natsProducer?.send ?? httpProducer(this.url);
  }

  static async open(options: StageOptions): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'lapse-process-'));
    const sink = await WebhookSink.start();
    const nats = options.nats && (await startNatsServer({ program: options.nats }));
    const config = await writeConfig(join(folder, 'lapse.json'), {
      ...options,
      urlOf: (webhook) => sink.urlOf(webhook),
    });
    const isTrimmed = options.isTrimmed ?? false;
    return new Stage({ folder, config, sink, nats, port: await stablePort(), isTrimmed });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  /** Starts `serve`; does not wait for it. */
  serve(): ServeProcess {
    const { config, data, nats } = this;
    const process = new ServeProcess({
      config,
      data,
      port: this.#port,
      ...(nats === undefined ? {} : { nats: nats.url }),
    });
    this.#processes.push(process);
    return process;
  }

  /** What stands in the log; to be asked for when `serve` has been ready once. */
  async stored(): Promise<StoredTopics> {
    this.#stored ??=
      this.nats === undefined
        ? new EmbeddedTopics(join(this.data, 'log'))
        : await JetStreamTopics.open(this.nats.url, this.#isTrimmed);
    return this.#stored;
  }

  /** Resolves once all windows are closed and all that is owed is settled. @returns what is owed */
  async settled(process: ServeProcess, timeoutMs = 40_000): Promise<Map<string, Expected>> {
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
        describe: () => `Missing: ${JSON.stringify(missing)}\n${process.output}`,
      },
    );
    return expected;
  }

  /** Ends `serve` and holds its whole account against what the input demands. */
  async reckon(process: ServeProcess, acknowledged: ReadonlySet<string>) {
    await this.settled(process);
    const exitCode = await process.stop();
    if (exitCode !== 0) throw new Error(`serve ended with ${exitCode}:\n${process.output}`);
    const stored = await this.stored();
    await stored.collect();
    const input = inputOf(stored);
    const expected = await expectedOf(input, this.config);
    const settled = settledOf(stored);
    requireNothingLost(acknowledged, input);
    requireSettledOnce(expected, settled);
    requireReceived(expected, settled, this.sink.requests);
    return { input, expected, settled };
  }

  async close(): Promise<void> {
    for (const process of this.#processes) if (!process.hasEnded) await process.kill();
    await this.#natsProducer?.close();
    await this.#stored?.close();
    await this.sink.stop();
    await this.nats?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
