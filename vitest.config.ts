import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One more than the cores: the tests of processes wait most of the time.
    maxWorkers: 3,
  },
});
