import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NOT_BUILT_COMMANDS, program } from '../../../app/cli/program.ts';
import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import { lapse } from '../../support/cli.ts';

const WRONG_USAGE = 2;

function notBuilt(command: string): string {
  return `The command ${command} is not built yet in this version of Lapse (${LAPSE_VERSION}).`;
}

/** Arguments, and the one sentence that must come on stderr. */
const MISTAKES: readonly (readonly [string, string[], string])[] = [
  ['an unknown command', ['sned'], "Unknown command 'sned' (Did you mean send?) [ERR_USAGE]"],
  [
    'an unknown option',
    ['serve', '--prot', '1'],
    "Unknown option '--prot' (Did you mean --port?) [ERR_USAGE]",
  ],
  ['a missing argument', ['validate'], "Missing required argument 'path' [ERR_USAGE]"],
  [
    'a missing option',
    ['simulate', '--config', 'x'],
    "Required option '--events <file>' not specified [ERR_USAGE]",
  ],
  [
    'an option without its value',
    ['serve', '--port'],
    "Option '--port <n>' argument missing [ERR_USAGE]",
  ],
  ['no user', ['send', 'X'], '--user or --anonymous must be given, got neither [ERR_USAGE]'],
  [
    'nothing to send',
    ['send', '--user', 'u'],
    'EVENT or --trait must be given, got neither [ERR_USAGE]',
  ],
  [
    'a property without a value',
    ['send', 'X', '--user', 'u', '--prop', 'k'],
    '--prop must be a name, = and a value, got "k" [ERR_USAGE]',
  ],
  [
    'a URL that is none',
    ['send', 'X', '--user', 'u', '--url', 'localhost'],
    '--url must be a URL like http://127.0.0.1:8080, got "localhost" [ERR_USAGE]',
  ],
  [
    'a share above one',
    ['receive', '--fail', '2'],
    '--fail must be a share from 0 to 1, or from 0% to 100%, got "2" [ERR_USAGE]',
  ],
  [
    'a port that is none',
    ['receive', '--port', '65536'],
    '--port must be a whole number from 0 to 65535, got "65536" [ERR_USAGE]',
  ],
  [
    'the demo with definitions',
    ['serve', '--demo', '--config', 'x'],
    '--demo must be given without --config: it brings its own definitions, ' +
      'app/demo/demo.yaml [ERR_USAGE]',
  ],
];

describe('usage', () => {
  test.each(MISTAKES)('lapse: says one sentence and exits 2, for %s', async (_what, args, said) => {
    const result = await lapse(args);
    expect(result).toEqual({ exitCode: WRONG_USAGE, stdout: '', stderr: `${said}\n` });
  });

  test.each(NOT_BUILT_COMMANDS)('lapse %s: is refused by name, as not built', async (command) => {
    const parsing = program(() => {}).parseAsync([command, 'x', '--since', 'T'], { from: 'user' });
    await expect(parsing).rejects.toMatchObject({
      code: 'ERR_NOT_BUILT',
      domain: 'user',
      message: notBuilt(command),
    });
  });

  test('lapse: a command that is not built exits 2', async () => {
    const result = await lapse(['backtest', 'x']);
    const stderr = `${notBuilt('backtest')} [ERR_NOT_BUILT]\n`;
    expect(result).toEqual({ exitCode: WRONG_USAGE, stdout: '', stderr });
  });

  test('lapse --json: a mistake is an object on stdout', async () => {
    const { exitCode, stdout, stderr } = await lapse(['sned', '--json']);
    const message = "Unknown command 'sned' (Did you mean send?)";
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'ERR_USAGE', message } });
    expect({ exitCode, stderr }).toEqual({ exitCode: WRONG_USAGE, stderr: '' });
  });

  test('lapse --version: prints the version of package.json', async () => {
    const manifest = new URL('../../../package.json', import.meta.url);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    expect(await lapse(['--version'])).toEqual({
      exitCode: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });
});
