/** The Python SDKs, at pinned versions, in an environment of their own below `.cache`. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../engine/errors/errors.ts';

const PINNED = ['segment-analytics-python==2.4.0', 'rudder-sdk-python==2.1.9'];
const FOLDER = fileURLToPath(new URL('../../.cache/clients-python', import.meta.url));
const PYTHON = `${FOLDER}/bin/python`;

/**
 * Makes the environment when it is missing.
 * @returns the path of its Python; undefined where there is none, which is said on stderr
 * @throws Error where CI is set and there is none
 */
export function pythonWithClients(): string | undefined {
  try {
    if (!existsSync(PYTHON)) run('python3', ['-m', 'venv', FOLDER]);
    run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PINNED]);
    return PYTHON;
  } catch (error) {
    const sentence = `The Python SDKs need python3 with venv and pip: ${messageOf(error)}`;
    if (process.env.CI) throw new Error(sentence, { cause: error });
    console.error(`Not tried: ${PINNED.join(', ')}. ${sentence}`);
    return undefined;
  }
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
