import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lapse } from '../../support/cli.ts';

const CONFIG = 'config/examples/local.yaml';
const GOOD = '{"type":"track","userId":"u","event":"A","timestamp":"2026-01-05T09:00:00Z"}';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-exit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each([
  [1, 'when every line was refused', ['x', '{"a":1}']],
  [0, 'when one line of two was refused', ['x', GOOD]],
  [0, 'for a file without lines', []],
])('simulate: exits %i %s', async (wanted, _when, lines) => {
  const events = join(folder, 'events.ndjson');
  writeFileSync(events, lines.map((line) => `${line}\n`).join(''));
  const { exitCode } = await lapse(['simulate', '--config', CONFIG, '--events', events]);
  expect(exitCode).toBe(wanted);
});

test.each([
  ['serve', ['serve', '--port', '0']],
  ['send', ['send', 'X', '--user', 'u']],
])('%s: refuses a LAPSE_ variable that nothing reads, before it does anything', async (_, args) => {
  const { exitCode, stderr } = await lapse(args, { env: { LAPSE_PROT: '1' } });
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(
    /^LAPSE_PROT must be .* \(did you mean LAPSE_PORT\?\).*\[ERR_SETTINGS\]$/m,
  );
});
