import { execFileSync } from 'node:child_process';
import { messageOf } from '../../engine/errors/errors.ts';

type Run = (command: string, args: readonly string[], env?: Record<string, string>) => void;

/**
 * Gets a client from its registry.
 * @returns undefined where that does not work, which is said on stderr
 * @throws Error where CI is set and it does not work
 */
export function runOrSay<Result>(
  what: string,
  needs: string,
  get: (run: Run) => Result,
): Result | undefined {
  try {
    return get((command, args, env) => {
      const all = { ...process.env, ...env };
      execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: all });
    });
  } catch (error) {
    const sentence = `${what} needs ${needs}: ${messageOf(error)}`;
    if (process.env.CI) throw new Error(sentence, { cause: error });
    console.error(`Not tried: ${sentence}`);
    return undefined;
  }
}
