import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { DefinitionsError, partsOf } from '../../../config/definitions/problem.ts';
import { ExitCode, printJson, printLine, say, unsetSentence } from '../command-line.ts';

/** `lapse validate`: says what is wrong with definitions, or what they hold. */
export function validateCommand(
  paths: readonly string[],
  options: { readonly json?: boolean },
): number {
  const asJson = options.json === true;
  try {
    const { definitions, unset } = loadConfiguration(paths, process.env, {
      hasPlaceholders: true,
      egressFlags: {},
    });
    const campaigns = definitions.campaigns.length;
    const webhooks = definitions.webhooks.length;
    if (asJson) printJson({ valid: true, campaigns, webhooks, unset, problems: [] });
    else printLine(`Valid: ${count(campaigns, 'campaign')}, ${count(webhooks, 'webhook')}.`);
    if (unset.length > 0) say(unsetSentence(unset));
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
