/** `lapse serve --demo`: Lapse with a made-up shop in front of it and a receiver behind it. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { type RuntimeSettings, resolveRuntime } from '../../../config/definitions/runtime.ts';
import { LapseError, userError } from '../../../engine/errors/errors.ts';
import { factsOf } from '../../../engine/health/causes.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import type { Definitions } from '../../../operators/definitions.ts';
import { type Arrival, Arrivals } from '../../demo/arrivals.ts';
import { type DemoOutput, demoOutput } from '../../demo/demo-output.ts';
import { SessionFeed } from '../../demo/session-feed.ts';
import { Lapse, type LapseOptions } from '../../serve/lapse.ts';
import { ExitCode } from '../command-line.ts';
import { Ending } from './ending.ts';
import { type Receiver, startReceiver } from './receive.ts';
import type { ServeOptions } from './serve-options.ts';

// The package's root is two levels up from api/commands, three from its build.
const FROM_BUILD = new URL('../../../../app/demo/demo.yaml', import.meta.url);
const SECRET_BYTES = 24;
const SEED = 2026;

/** Runs until SIGTERM or SIGINT; resolves with the exit code. */
export async function demoCommand(options: ServeOptions): Promise<number> {
  if (options.config !== undefined) {
    throw userError(
      'ERR_USAGE',
      '--demo must be given without --config: it brings its own definitions, app/demo/demo.yaml',
    );
  }
  const end = new Ending();
  const stage = await setStage(options, (error) => end.fail(error));
  const { lapse, feed, output, receiver } = stage;
  feed.start();
  const { signal, failure } = await end.reason;
  output.ending(failure?.message ?? `${signal} received`);
  await feed.stop();
  await lapse.stop();
  await receiver.close();
  output.end();
  return failure === undefined ? ExitCode.done : ExitCode.failed;
}

interface Stage {
  readonly lapse: Lapse;
  readonly feed: SessionFeed;
  readonly output: DemoOutput;
  readonly receiver: Receiver;
}

async function setStage(
  options: ServeOptions,
  onFailure: (error: LapseError) => void,
): Promise<Stage> {
  const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  let onArrivals: (found: readonly Arrival[]) => void = () => {};
  let arrivals: Arrivals | undefined;
  const receiver = await startReceiver({
    secret,
    onRequest: ({ body, atMs, status, isRepeat }) => {
      if (status === 200 && !isRepeat) onArrivals(arrivals?.take(body, atMs) ?? []);
    },
  });
  try {
    const { definitions, settings } = configure(options, { receiver: receiver.url, secret });
    arrivals = new Arrivals(definitions.campaigns);
    const troubles: string[] = [];
    const lapse = await start(definitions, settings, {
      onWarning: (_where, error) => troubles.push(error.message),
      onCondition: {
        began: ({ message }) => troubles.push(message),
        over: ({ cause }) => troubles.push(factsOf(cause).over),
      },
      onFailure,
    });
    const output = demoOutput({
      lapse,
      definitions,
      arrivals,
      troubles,
      data: options.data ?? 'a temporary folder',
      asJson: options.json === true,
    });
    onArrivals = (found) => output.arrived(found);
    const feed = new SessionFeed({
      url: lapse.url,
      clock: systemClock,
      seed: SEED,
      run: randomUUID().slice(0, 8),
      onEvent: (event, atMs) => arrivals?.noteEvent(event, atMs),
      onTrouble: (sentence) => troubles.push(sentence),
    });
    return { lapse, feed, output, receiver };
  } catch (error) {
    await receiver.close();
    throw error;
  }
}

function configure(
  options: ServeOptions,
  { receiver, secret }: { readonly receiver: string; readonly secret: string },
): { definitions: Definitions; settings: RuntimeSettings } {
  const env = { ...process.env, DEMO_RECEIVER_URL: receiver, DEMO_SECRET: secret };
  const { definitions, runtime } = loadConfiguration([fileURLToPath(FROM_BUILD)], env);
  const data = options.data ?? temporaryFolder();
  // The demo needs nothing but itself: a NATS server only when the command line names one.
  const isOwn = ([name]: [string, unknown]) => !name.includes('NATS');
  const own = Object.fromEntries(Object.entries(process.env).filter(isOwn));
  const settings = resolveRuntime({ ...options, data }, own, runtime);
  return { definitions, settings };
}

/** Gone when the process ends, whichever way that is, short of a kill. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-demo-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(
  definitions: Definitions,
  settings: RuntimeSettings,
  listener: Pick<LapseOptions, 'onWarning' | 'onCondition' | 'onFailure'>,
): Promise<Lapse> {
  try {
    return await Lapse.start({ definitions, settings, ...listener });
  } catch (error) {
    if (!(error instanceof LapseError) || error.code !== 'ERR_PORT_IN_USE') throw error;
    const other = settings.server.port + 1;
    throw userError(error.code, `${error.message} (npm start -- --port ${other})`);
  }
}
