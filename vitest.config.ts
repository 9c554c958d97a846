import { defineConfig } from 'vitest/config';

/** Whole processes, faults, benches and installs: minutes, so `npm run test:all` alone runs them. */
const SLOW = ['tests/process/**', 'tests/bench/**', 'tests/install/**'];
/** Real SDKs, installed from npm and PyPI when they are missing. */
const CLIENTS = 'tests/clients/**';

/** Which tests: `quick` without what is slow, `all` but the clients, or `clients`. */
const tests = process.env.TESTS ?? 'quick';

export default defineConfig({
  test: {
    include: [tests === 'clients' ? `${CLIENTS}/*.test.ts` : 'tests/**/*.test.ts'],
    exclude: tests === 'clients' ? [] : tests === 'all' ? [CLIENTS] : [CLIENTS, ...SLOW],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // One more than the cores: the tests of processes wait most of the time.
    maxWorkers: tests === 'clients' ? 1 : 3,
  },
});
