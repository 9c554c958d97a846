/** Packages of Python, at pinned versions, in environments of their own below `.cache`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runOrSay } from './run-or-say.ts';

const SDKS = ['segment-analytics-python==2.4.0', 'rudder-sdk-python==2.1.9'];
const NATS = ['nats-py==2.16.0'];

/** @returns the path of a Python with the SDKs; undefined where none can be made */
export function pythonWithClients(): string | undefined {
  return pythonWith('clients-python', SDKS);
}

/** @returns the path of a Python with NATS's own client; undefined where none can be made */
export function pythonWithNats(): string | undefined {
  return pythonWith('clients-python-nats', NATS);
}

/** Makes the environment when it is missing. */
function pythonWith(name: string, packages: readonly string[]): string | undefined {
  const folder = fileURLToPath(new URL(`../../.cache/${name}`, import.meta.url));
  const python = `${folder}/bin/python`;
  return runOrSay(packages.join(', '), 'python3 with venv and pip', (run) => {
    if (!existsSync(python)) run('python3', ['-m', 'venv', folder]);
    const quiet = ['--quiet', '--disable-pip-version-check'];
    run(python, ['-m', 'pip', 'install', ...quiet, ...packages]);
    return python;
  });
}
