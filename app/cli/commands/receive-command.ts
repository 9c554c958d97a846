import { userError } from '../../../engine/errors/errors.ts';
import { ExitCode, printJson, printLine, readDuration, readInteger, say } from '../command-line.ts';
import { Ending } from './ending.ts';
import { type ReceivedRequest, type ReceiverCounts, startReceiver } from './receive.ts';

export interface ReceiveOptions {
  readonly port?: string;
  readonly fail?: string;
  readonly latency?: string;
  readonly secret?: string;
  readonly json?: boolean;
}

const DEFAULT_PORT = 9000;

/** `lapse receive`: runs until SIGTERM or SIGINT; resolves with the exit code. */
export async function receiveCommand(options: ReceiveOptions): Promise<number> {
  const asJson = options.json === true;
  const port =
    options.port === undefined ? DEFAULT_PORT : readInteger('--port', options.port, 0, 65_535);
  const { fail, latency, secret } = options;
  const end = new Ending();
  const receiver = await startReceiver({
    port,
    ...(fail === undefined ? {} : { failRate: readShare('--fail', fail) }),
    ...(latency === undefined ? {} : { latencyMs: readDuration('--latency', latency) }),
    ...(secret === undefined ? {} : { secret }),
    ...(asJson ? { onRequest: printRequest } : { print: printLine }),
  });
  say(`Receiving at ${receiver.url}, Ctrl-C ends.`);
  await end.reason;
  await receiver.close();
  if (asJson) printJson({ type: 'ended', ...receiver.counts });
  else say(sentenceOf(receiver.counts));
  return ExitCode.done;
}

function printRequest(received: ReceivedRequest): void {
  const { atMs, ...facts } = received;
  printJson({ type: 'request', at: new Date(atMs).toISOString(), ...facts });
}

/** 0.1 and 10% are the same. @throws LapseError `ERR_USAGE` */
function readShare(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text.trim());
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  if (share >= 0 && share <= 1) return share;
  throw userError(
    'ERR_USAGE',
    `${option} must be a share from 0 to 1, or from 0% to 100%, got ${JSON.stringify(text)}`,
  );
}

function sentenceOf(counts: ReceiverCounts): string {
  const { requests, accepted, repeated, failed, refused, profiles } = counts;
  return (
    `${requests} requests: ${accepted} accepted with ${profiles} profiles, ${repeated} repeated, ` +
    `${failed} failed on purpose, ${refused} refused.`
  );
}
