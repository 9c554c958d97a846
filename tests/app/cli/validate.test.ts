import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lapse } from '../../support/cli.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-validate-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const WHERE = 'where: {a: {gtt: 1}, b: [1]}';

function put(text: string): string {
  const path = join(folder, 'shop.yaml');
  writeFileSync(path, text);
  return path;
}

test('validate: names file and line of everything that is wrong, and exits 2', async () => {
  const path = put(`webhooks: [{id: crm, url: soon}]\n# ${WHERE}\ncampaigns: 7\n`);
  const { exitCode, stdout, stderr } = await lapse(['validate', path]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr.trimEnd().split('\n')).toEqual([
    `${path}:1: webhooks[0].url must be an http or https URL without user name, password and fragment, got "soon" [ERR_DEFINITIONS]`,
    `${path}:3: campaigns must be a list, got 7 [ERR_DEFINITIONS]`,
  ]);
});

test('validate --json: lists every problem of a where with line, path, must, got and code', async () => {
  const campaign = `{id: c, webhook: crm, qualify: {live: {action: {event: X, ${WHERE}}}}}`;
  const path = put(
    `webhooks: [{id: crm, url: "https://crm.example.com/"}]\ncampaigns:\n- ${campaign}\n`,
  );
  const { exitCode, stdout, stderr } = await lapse(['validate', '--json', path]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
  const { valid, problems } = JSON.parse(stdout) as { valid: boolean; problems: object[] };
  const at = 'campaigns[0].qualify.live.action.where';
  expect(valid).toBe(false);
  expect(problems).toEqual([
    expect.objectContaining({
      ...{ file: path, line: 3, path: `${at}.a.gtt`, code: 'ERR_FILTER' },
      ...{ must: 'be an operator (did you mean "gt"?)', got: '"gtt"' },
    }),
    expect.objectContaining({
      ...{ file: path, line: 3, path: `${at}.b`, code: 'ERR_FILTER', got: 'a list of 1' },
    }),
  ]);
});

test('validate --json: what is right has no problems', async () => {
  const path = put('webhooks: [{id: crm, url: "https://crm.example.com/"}]\n');
  const { exitCode, stdout } = await lapse(['validate', path, '--json']);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    ...{ valid: true, campaigns: 0, webhooks: 1 },
    ...{ unset: [], warnings: [], problems: [] },
  });
});

test('validate: warns of a number that is written like a text, and names the quotes', async () => {
  const path = put(
    'webhooks: [{id: crm, url: "http://127.0.0.1:9/"}]\ncampaigns:\n' +
      '- {id: c, webhook: crm, qualify: {live: {action: {event: X, where: {zip: 02142}}}}}\n',
  );
  const at = 'campaigns[0].qualify.live.action.where.zip';
  const message = `${at} is taken as the number 2142; write "02142", in quotes, if a text is meant`;
  const shown = await lapse(['validate', path]);
  expect(shown).toMatchObject({ exitCode: 0, stdout: 'Valid: 1 campaign, 1 webhook.\n' });
  expect(shown.stderr).toBe(`Warning: ${path}:3: ${message}.\n`);
  const { warnings } = JSON.parse((await lapse(['validate', path, '--json'])).stdout) as {
    warnings: object[];
  };
  const code = 'ERR_AMBIGUOUS_VALUE';
  expect(warnings).toEqual([{ file: path, line: 3, path: at, code, message }]);
});
