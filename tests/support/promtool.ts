/** Runs promtool, which is asked for where the tests must all run (CI=true). */
import { spawnSync } from 'node:child_process';
import { findPromtool } from '../../scripts/find-promtool.mjs';

const path = findPromtool();

/** Without it a test is skipped, but never in CI. */
export const isPromtoolMissing = path === undefined && process.env.CI !== 'true';

/** @returns all that it complains about; empty when it is content */
export function complaintsOfPromtool(args: readonly string[], input = ''): string {
  if (path === undefined) {
    throw new Error('promtool must be on PATH; node scripts/find-promtool.mjs gets it.');
  }
  const { status, stdout, stderr, error } = spawnSync(path, args, { input, encoding: 'utf8' });
  if (error !== undefined) throw error;
  return status === 0 ? stderr : `${stdout}${stderr}` || `ended with ${status}`;
}
