import { userError } from '../../../engine/errors/errors.ts';
import { writeJson } from '../../../engine/json/write-json.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { ExitCode, printJson, printLine, say } from '../command-line.ts';
import { LapseClient, serverUrl } from '../lapse-client.ts';
import { visibleText } from '../visible-text.ts';
import { readAssignments } from './send-values.ts';

export interface SendOptions {
  readonly user?: string;
  readonly anonymous?: string;
  readonly prop?: readonly string[];
  readonly trait?: readonly string[];
  readonly url?: string;
  readonly json?: boolean;
}

/** `lapse send`: one event of one user, and what is known of the user; resolves with the exit code. */
export async function sendCommand(
  event: string | undefined,
  options: SendOptions,
): Promise<number> {
  const url = serverUrl(options.url, process.env);
  const batch = eventsOf(event, options);
  const client = new LapseClient({ url, clock: systemClock });
  try {
    const answer = await client.batch(writeJson({ batch }));
    if (options.json === true) printJson(answer);
    else if (answer.rejected.length === 0) printLine(sentenceOf(event, options, url));
    for (const { code, message } of options.json === true ? [] : answer.rejected) {
      say(`${visibleText(message)} [${code}]`);
    }
    return answer.rejected.length === 0 ? ExitCode.done : ExitCode.failed;
  } finally {
    await client.close();
  }
}

function eventsOf(event: string | undefined, options: SendOptions): object[] {
  const { user, anonymous, prop = [], trait = [] } = options;
  if (user === undefined && anonymous === undefined) {
    throw userError('ERR_USAGE', '--user or --anonymous must be given, got neither');
  }
  if (event === undefined && trait.length === 0) {
    throw userError('ERR_USAGE', 'EVENT or --trait must be given, got neither');
  }
  if (event === undefined && prop.length > 0) {
    throw userError('ERR_USAGE', '--prop must be given with an EVENT, got none');
  }
  const who = {
    ...(user === undefined ? {} : { userId: user }),
    ...(anonymous === undefined ? {} : { anonymousId: anonymous }),
  };
  // Traits first: a webhook that the event sets off shows them.
  const identify = { type: 'identify', ...who, traits: readAssignments('--trait', trait) };
  const track = { type: 'track', ...who, event, properties: readAssignments('--prop', prop) };
  return [...(trait.length === 0 ? [] : [identify]), ...(event === undefined ? [] : [track])];
}

function sentenceOf(
  event: string | undefined,
  { user, anonymous, trait }: SendOptions,
  url: string,
) {
  const traits =
    trait === undefined ? undefined : `${trait.length} trait${trait.length === 1 ? '' : 's'}`;
  const what = [event, traits].filter((part) => part !== undefined).join(' and ');
  return `Sent ${what} of ${user ?? anonymous} to ${url}.`;
}
