import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { DefinitionsError, partsOf } from '../../../config/definitions/problem.ts';
import { ExitCode, printJson, printLine } from '../command-line.ts';

/** `lapse validate`: says what is wrong with definitions, or what they hold. */
export function validateCommand(
  paths: readonly string[],
  options: { readonly json?: boolean },
): number {
  const asJson = options.json === true;
  try {
    const { definitions } = loadConfiguration(paths, process.env);
    const campaigns = definitions.campaigns.length;
    const webhooks = definitions.webhooks.length;
    if (asJson) printJson({ valid: true, campaigns, webhooks, problems: [] });
    else printLine(`Valid: ${count(campaigns, 'campaign')}, ${count(webhooks, 'webhook')}.`);
    return ExitCode.done;
  } catch (error) {
    if (!asJson || !(error instanceof DefinitionsError)) throw error;
    printJson({ valid: false, problems: error.problems.map(partsOf) });
    return ExitCode.wrongInput;
  }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
