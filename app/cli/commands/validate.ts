import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { printLine } from '../command-line.ts';

/** `lapse validate`: says what is wrong with definitions, or what they hold. */
export function validateCommand(paths: readonly string[], options: { json?: boolean }): void {
  const { definitions } = loadConfiguration(paths, process.env);
  const campaigns = definitions.campaigns.length;
  const webhooks = definitions.webhooks.length;
  printLine(
    options.json === true
      ? JSON.stringify({ valid: true, campaigns, webhooks })
      : `Valid: ${count(campaigns, 'campaign')}, ${count(webhooks, 'webhook')}.`,
  );
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
