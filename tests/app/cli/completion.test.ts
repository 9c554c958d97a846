import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { program } from '../../../app/cli/program.ts';
import { lapse } from '../../support/cli.ts';

let folder: string;
const files: Record<string, string> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { exitCode, stdout } = await lapse(['completion', shell]);
    expect(exitCode).toBe(0);
    files[shell] = join(folder, shell);
    writeFileSync(files[shell], stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Visible commands, as help shows them. */
const COMMANDS = (() => {
  const lapseProgram = program(() => {});
  const help = lapseProgram.createHelp();
  return help.visibleCommands(lapseProgram).map((command) => command.name());
})();

function isMissing(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).error !== undefined;
}

/** What bash offers for words of which the last is being written. */
function inBash(...words: readonly string[]): string[] {
  const script = `source ${files.bash}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
    COMP_CWORD=${words.length - 1}; _lapse; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync('bash', ['-c', script], { encoding: 'utf8' });
  return out.split('\n').filter((line) => line !== '');
}

describe('completion', () => {
  test('bash: offers every command that help shows, and none that is not built', () => {
    expect(inBash('lapse', '')).toEqual(COMMANDS);
    expect(COMMANDS).not.toContain('backtest');
  });

  test('bash: offers the options of the command that stands on the line', () => {
    expect(inBash('lapse', 'serve', '--n')).toEqual(['--nats']);
    expect(inBash('lapse', 'validate', '--j')).toEqual(['--json']);
  });

  test('bash: leaves what is no option to the names of files', () => {
    expect(inBash('lapse', 'validate', 'x')).toEqual([]);
  });

  test.skipIf(isMissing('zsh'))('zsh: the script is read and defines the completion', () => {
    const script = `autoload -Uz compinit; compinit -u -D; source ${files.zsh}; echo $_comps[lapse]`;
    expect(execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8' }).trim()).toBe('_lapse');
  });

  test.skipIf(isMissing('fish'))('fish: offers commands and options with what they do', () => {
    const offered = (line: string) =>
      execFileSync('fish', ['--no-config', '-c', `source ${files.fish}; complete -C '${line}'`], {
        encoding: 'utf8',
      });
    expect(offered('lapse validat')).toMatch(/^validate\tChecks definitions/);
    expect(offered('lapse serve --nat')).toMatch(/^--nats\tNATS server/);
  });

  test('an unknown shell is refused with those there are', async () => {
    const { exitCode, stderr } = await lapse(['completion', 'tcsh']);
    expect(exitCode).toBe(2);
    expect(stderr).toBe('SHELL must be one of bash, zsh, fish, got "tcsh" [ERR_USAGE]\n');
  });
});
