/** `lapse bench [NAME]`: picks the benches, prints what they found, keeps it with `--save`. */
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { LapseError, messageOf } from '../engine/errors/errors.ts';
import { type Findings, reportOf, reportText, saveReport } from './harness/report.ts';

/** What `commander` read; each bench takes what it knows. */
type Read = Readonly<Record<string, string | number | boolean>>;

interface Bench {
  readonly name: string;
  readonly does: string;
  options(command: Command): Command;
  /** What no arguments mean, and what `--smoke` does. */
  run(read: Read): Promise<Findings>;
}

const SEED = 20_260_105;

const benches: readonly Bench[] = [
  {
    name: 'path',
    does: 'events a second from envelopes in the log to durable qualifications',
    options: (command) =>
      command
        .addOption(logOption())
        .addOption(sizeOption('--users <n>', 1_000_000, 2_000))
        .addOption(sizeOption('--events <n>', 6_000_000, 20_000))
        .option('--campaigns <n>', 'of ten', whole, 10)
        .option(
          '--workers <n>',
          'threads with partitions',
          whole,
          Math.min(2, availableParallelism()),
        )
        .option('--checkpoint-interval <ms>', 'between checkpoints of a partition', whole, 10_000),
    run: async (read) => {
      const { benchPath } = await import('./path/path-bench.ts');
      return await benchPath({
        log: read.log as 'embedded' | 'jetstream',
        users: Number(read.users),
        events: Number(read.events),
        campaigns: Number(read.campaigns),
        workers: Number(read.workers),
        seed: Number(read.seed),
        checkpointIntervalMs: Number(read.checkpointInterval),
      });
    },
  },
  {
    name: 'door',
    does: 'events a second from NATS messages and HTTP requests to processed records',
    options: (command) =>
      command
        .addOption(logOption().default('jetstream'))
        .addOption(sizeOption('--users <n>', 1_000_000, 2_000))
        .addOption(sizeOption('--events <n>', 1_000_000, 5_000))
        .option('--campaigns <n>', 'of ten', whole, 10)
        .option('--workers <n>', 'threads with partitions', whole, 1)
        .option('--connections <n>', 'of the HTTP load', whole, 8)
        .option('--batch <n>', 'events an HTTP request', whole, 100),
    run: async (read) => {
      const { benchDoor } = await import('./door/door-bench.ts');
      return await benchDoor({
        log: read.log as 'embedded' | 'jetstream',
        users: Number(read.users),
        events: Number(read.events),
        campaigns: Number(read.campaigns),
        workers: Number(read.workers),
        connections: Number(read.connections),
        batch: Number(read.batch),
        seed: Number(read.seed),
      });
    },
  },
  {
    name: 'latency',
    does: 'ms from a deadline or an event to the first byte at the receiver, open loop',
    options: (command) =>
      command
        .addOption(logOption())
        .addOption(
          new Option('--durability <what>', 'what an acknowledgement of the embedded log survives')
            .choices(['disk', 'process'])
            .default('disk'),
        )
        .addOption(sizeOption('--rate <n>', 20_000, 500))
        .addOption(sizeOption('--deadlines <n>', 1_000, 50))
        .addOption(sizeOption('--actions <n>', 200, 20))
        .addOption(sizeOption('--seconds <n>', 30, 2))
        .addOption(sizeOption('--within <seconds>', 5, 4))
        .option('--users <n>', 'who look around', whole, 1_000_000),
    run: async (read) => {
      const { benchLatency } = await import('./latency/latency-bench.ts');
      return await benchLatency({
        log: read.log as 'embedded' | 'jetstream',
        durability: read.durability as 'disk' | 'process',
        rate: Number(read.rate),
        deadlines: Number(read.deadlines),
        actions: Number(read.actions),
        seconds: Number(read.seconds),
        withinSeconds: Number(read.within),
        users: Number(read.users),
        seed: Number(read.seed),
      });
    },
  },
  {
    name: 'overload',
    does: 'twice the capacity, a slow receiver, a burst of windows: memory, losses, latency',
    options: (command) =>
      command
        .addOption(logOption())
        .addOption(sizeOption('--seconds <n>', 600, 4))
        .addOption(sizeOption('--quiet-seconds <n>', 30, 1))
        .addOption(sizeOption('--capacity-seconds <n>', 10, 1))
        .addOption(sizeOption('--windows <n>', 1_000_000, 2_000))
        .addOption(sizeOption('--producers <n>', 1_000, 50))
        .addOption(sizeOption('--rate <n>', 50, 20))
        .option('--batch <n>', 'events a request of the flood', whole, 100),
    run: async (read) => {
      const { benchOverload } = await import('./overload/overload-bench.ts');
      return await benchOverload({
        log: read.log as 'embedded' | 'jetstream',
        seconds: Number(read.seconds),
        quietSeconds: Number(read.quietSeconds),
        capacitySeconds: Number(read.capacitySeconds),
        windows: Number(read.windows),
        producers: Number(read.producers),
        rate: Number(read.rate),
        batch: Number(read.batch),
        seed: Number(read.seed),
      });
    },
  },
  {
    name: 'gates',
    does: 'ns of a qualification through all gates, cost of an edit, a close and a join, with many campaigns',
    options: (command) =>
      command
        .addOption(sizeOption('--campaigns <n>', 10_000, 100))
        .addOption(sizeOption('--events <n>', 200_000, 2_000))
        .addOption(sizeOption('--users <n>', 20_000, 200))
        .addOption(sizeOption('--changes <n>', 1_000, 20)),
    run: async (read) => {
      const { benchGates } = await import('./gates/gates-bench.ts');
      return benchGates({
        campaigns: Number(read.campaigns),
        events: Number(read.events),
        users: Number(read.users),
        changes: Number(read.changes),
        seed: Number(read.seed),
      });
    },
  },
  {
    name: 'windows',
    does: 'bytes and ns of open windows, the pause of a checkpoint, the time of a restart',
    options: (command) =>
      command
        .addOption(sizeOption('--windows <n>', 10_000_000, 20_000))
        .addOption(sizeOption('--naive <n>', 300_000, 2_000))
        .addOption(sizeOption('--partitions <n>', 64, 4)),
    run: async (read) => {
      const { benchWindows } = await import('./windows/windows-bench.ts');
      return await benchWindows({
        windows: Number(read.windows),
        naive: Number(read.naive),
        partitions: Number(read.partitions),
      });
    },
  },
];

/**
 * @param name undefined: all of them at their canonical size
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage
 */
export async function runBench(name: string | undefined, args: string[]): Promise<number> {
  const chosen = name === undefined ? benches : benches.filter((bench) => bench.name === name);
  if (chosen.length === 0) {
    const names = benches.map((bench) => bench.name).join(', ');
    process.stderr.write(`The bench must be one of ${names}, got ${name}.\n`);
    return 2;
  }
  try {
    for (const bench of chosen) await runOne(bench, args);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const isOurs = error instanceof LapseError;
    const text = isOurs ? `${messageOf(error)} [${error.code}]` : (error as Error).stack;
    process.stderr.write(`${text}\n`);
    return isOurs && error.domain === 'user' ? 2 : 1;
  }
}

async function runOne(bench: Bench, args: string[]): Promise<void> {
  const command = bench
    .options(new Command(`bench ${bench.name}`).description(bench.does))
    .option('--seed <n>', 'of everything random', whole, SEED)
    .option('--smoke', 'a size of seconds, to see that it works')
    .option('--save', 'keep the result under bench/results/')
    .option('--json', 'the report as JSON')
    .exitOverride()
    .parse(args, { from: 'user' });
  const read = command.opts<Record<string, string | number | boolean>>();
  const { seed, save, smoke, json, ...parameters } = sized(command, read);
  const startedAt = new Date();
  const findings = await bench.run({ ...parameters, seed: seed! });
  const head = { bench: bench.name, seed: Number(seed), parameters, args, startedAt };
  const report = reportOf(head, findings);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `\n${reportText(report)}`);
  if (save) process.stderr.write(`Kept as ${saveReport(report)}.json and .md\n`);
}

/** `--smoke` stands for the small size of whatever was not given. */
function sized(command: Command, read: Record<string, string | number | boolean>) {
  if (read.smoke !== true) return read;
  const small: Record<string, string | number | boolean> = { ...read };
  for (const option of command.options) {
    const name = option.attributeName();
    const isGiven = command.getOptionValueSource(name) === 'cli';
    if (!isGiven && option.presetArg !== undefined) small[name] = Number(option.presetArg);
  }
  return small;
}

function sizeOption(flags: string, canonical: number, smoke: number): Option {
  return new Option(flags, `with --smoke ${smoke}`)
    .argParser(whole)
    .default(canonical)
    .preset(smoke);
}

function logOption(): Option {
  return new Option('--log <home>', 'where the log is')
    .choices(['embedded', 'jetstream'])
    .default('embedded');
}

function whole(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number from 1.');
}
