import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import {
  DefinitionsError,
  type DefinitionsProblem,
  partsOf,
} from '../../../config/definitions/problem.ts';
import {
  ExitCode,
  printJson,
  printLine,
  say,
  unsetSentence,
  warningSentence,
} from '../command-line.ts';

/** `lapse validate`: says what is wrong with definitions, or what they hold. */
export function validateCommand(
  paths: readonly string[],
  options: { readonly json?: boolean },
): number {
  const asJson = options.json === true;
  try {
    const { definitions, unset, warnings } = loadConfiguration(paths, process.env, {
      hasPlaceholders: true,
      egressFlags: {},
    });
    const campaigns = definitions.campaigns.length;
    const webhooks = definitions.webhooks.length;
    if (asJson) {
      const found = warnings.map(warningParts);
      printJson({ valid: true, campaigns, webhooks, unset, warnings: found, problems: [] });
    } else {
      printLine(`Valid: ${count(campaigns, 'campaign')}, ${count(webhooks, 'webhook')}.`);
      for (const warning of warnings) say(warningSentence(warning));
    }
    if (unset.length > 0) say(unsetSentence(unset));
    return ExitCode.done;
  } catch (error) {
    if (!asJson || !(error instanceof DefinitionsError)) throw error;
    printJson({ valid: false, problems: error.problems.map(partsOf) });
    return ExitCode.wrongInput;
  }
}

function warningParts({ file, line, path, code, message }: DefinitionsProblem) {
  return { file, line: line ?? null, path, code, message };
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
