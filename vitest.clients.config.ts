import { defineConfig } from 'vitest/config';

/** Clients that people have, from npm and PyPI: `npm run clients`. Too slow for `npm test`. */
export default defineConfig({
  test: {
    include: ['tests/clients/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 1,
  },
});
