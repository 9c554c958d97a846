import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // Real clients, installed as they are asked for: `npm run clients`.
    exclude: ['tests/clients/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One more than the cores: the tests of processes wait most of the time.
    maxWorkers: 3,
  },
});
