import { readResolvedFiles } from '../../../config/definitions/resolved-files.ts';
import { ExitCode, printJson, printLine } from '../command-line.ts';
import { ask } from '../control-client.ts';
import { serverUrl } from '../lapse-client.ts';
import { visibleText } from '../visible-text.ts';

export interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly url?: string;
  readonly json?: boolean;
}

interface Applied {
  readonly changes: readonly {
    readonly kind: string;
    readonly id?: string;
    readonly change: 'added' | 'changed';
    readonly keys?: readonly string[];
  }[];
}

/** `lapse apply`: puts the definitions of files into a running Lapse, and says what is different. */
export async function applyCommand(
  paths: readonly string[],
  options: ApplyOptions,
): Promise<number> {
  const url = serverUrl(options.url, process.env);
  const files = readResolvedFiles(paths, process.env);
  const isDryRun = options.dryRun === true;
  const path = isDryRun ? '/api/apply?dryRun=1' : '/api/apply';
  const applied = await ask<Applied>(url, path, { method: 'POST', body: { files } });
  if (options.json === true) {
    printJson(applied);
    return ExitCode.done;
  }
  const { changes } = applied;
  for (const { kind, id = '', change, keys = [] } of changes) {
    const sign = change === 'added' ? '+' : '~';
    const which = keys.length === 0 ? '' : ` (${keys.join(', ')})`;
    printLine(`${sign} ${kind} ${visibleText(id)}${which}`.trimEnd());
  }
  printLine(sentenceOf(changes.length, isDryRun));
  return ExitCode.done;
}

function sentenceOf(count: number, isDryRun: boolean): string {
  if (count === 0) return 'Nothing is different.';
  const definitions = `${count} definition${count === 1 ? '' : 's'}`;
  return isDryRun ? `${definitions} would change.` : `Applied: ${definitions} changed.`;
}
