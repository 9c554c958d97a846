/** The `nats` command line, at a pinned version, below `.cache`; Go builds it once, in a minute. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runOrSay } from './run-or-say.ts';

const PACKAGE = 'github.com/nats-io/natscli/nats@v0.5.0';
const FOLDER = fileURLToPath(new URL('../../.cache/clients-go/bin', import.meta.url));

/** @returns the path of the program; undefined where it cannot be built */
export function natsCommand(): string | undefined {
  const path = `${FOLDER}/nats`;
  return runOrSay('The nats command line', 'go', (run) => {
    if (!existsSync(path)) run('go', ['install', PACKAGE], { GOBIN: FOLDER });
    return path;
  });
}
