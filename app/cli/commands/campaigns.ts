import { userError } from '../../../engine/errors/errors.ts';
import { ExitCode, printJson, printLine } from '../command-line.ts';
import { ask } from '../control-client.ts';
import { serverUrl } from '../lapse-client.ts';
import { visibleText } from '../visible-text.ts';

export interface ControlOptions {
  readonly url?: string;
  readonly json?: boolean;
}

const KINDS = ['campaigns', 'webhooks', 'segments'] as const;
type Kind = (typeof KINDS)[number];

interface Listed {
  readonly id: string;
  readonly name?: string;
  readonly state?: string;
  readonly url?: string;
}

/** `lapse get`: what is defined in a running Lapse; of one definition everything. */
export async function getCommand(
  kindGiven: string,
  id: string | undefined,
  options: ControlOptions,
): Promise<number> {
  const kind = kindOf(kindGiven);
  const url = serverUrl(options.url, process.env);
  if (id !== undefined) {
    printJson(await ask(url, `/api/${kind}/${encodeURIComponent(id)}`));
    return ExitCode.done;
  }
  const answer = await ask<Readonly<Record<Kind, readonly Listed[]>>>(url, `/api/${kind}`);
  if (options.json === true) printJson(answer);
  else for (const one of answer[kind]) printLine(lineOf(one));
  return ExitCode.done;
}

function lineOf({ id, name = '', state, url }: Listed): string {
  const cells = [id.padEnd(32), ...(state === undefined ? [] : [state.padEnd(10)])];
  return visibleText([...cells, url ?? (name === id ? '' : name)].join(' ')).trimEnd();
}

/** @throws LapseError `ERR_USAGE` */
function kindOf(given: string): Kind {
  const kind = KINDS.find((one) => one === given || one === `${given}s`);
  if (kind !== undefined) return kind;
  throw userError('ERR_USAGE', `KIND must be one of ${KINDS.join(', ')}, got ${given}`);
}

/** `lapse publish`, `pause`, `resume`, `stop`, `archive`. */
export async function actCommand(
  action: string,
  campaign: string,
  options: ControlOptions,
): Promise<number> {
  const url = serverUrl(options.url, process.env);
  const path = `/api/campaigns/${encodeURIComponent(campaign)}/${action}`;
  const answer = await ask<{ readonly state: string }>(url, path, { method: 'POST' });
  if (options.json === true) printJson(answer);
  else printLine(`The campaign ${visibleText(campaign)} is ${answer.state}.`);
  return ExitCode.done;
}
