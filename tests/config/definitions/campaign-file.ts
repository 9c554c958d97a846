import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Configuration,
  loadConfiguration,
  parseDefinitions,
} from '../../../config/definitions/definitions.ts';
import type { DefinitionsError } from '../../../config/definitions/problem.ts';

/** A file with a webhook and one campaign, changed as a case needs it. */
export function campaignFile(campaign: object, rest: object = {}): unknown {
  const action = { action: { event: 'Login' } };
  return {
    webhooks: [{ id: 'crm', url: 'https://crm.example.com/' }],
    campaigns: [{ id: 'c', webhook: 'crm', qualify: { live: action }, ...campaign }],
    ...rest,
  };
}

export function segment(id: string, audience: object = {}) {
  return { id, audience };
}

/** What a file with this text holds. @throws DefinitionsError */
export function configurationIn(text: string): Configuration {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-definitions-'));
  try {
    const path = join(folder, 'shop.yaml');
    writeFileSync(path, text);
    return loadConfiguration([path], {});
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What a value is refused with; nothing when it is accepted. */
export function messagesOf(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    return (error as DefinitionsError).problems.map(({ message }) => message);
  }
  return [];
}

export function messages(value: unknown): string[] {
  return messagesOf(() => parseDefinitions(value));
}
