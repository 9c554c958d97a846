import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { errorEntries, errorsPage } from '../../config/pages/errors-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const CATALOGUE = readFileSync(join(root, 'config/errors.yaml'), 'utf8');
const ROOMS = ['engine', 'operators', 'connectors', 'config', 'app', 'api', 'bench', 'bin'];
const CODE = /(?<![A-Z_])ERR_[A-Z0-9]+(?:_[A-Z0-9]+)*(?![_A-Za-z0-9])/g;

/** Codes of Node.js that our sources look for. */
const OF_NODE = new Set([
  'ERR_BUFFER_TOO_LARGE',
  'ERR_HTTP_REQUEST_TIMEOUT',
  'ERR_WORKER_OUT_OF_MEMORY',
  'ERR_INVALID_ARG',
  'ERR_INVALID_CHAR',
  'ERR_INVALID_URL',
]);

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesBelow(path);
    return /\.m?ts$|\.mjs$/.test(entry.name) ? [path] : [];
  });
}

function codesInSources(): Map<string, string> {
  const codes = new Map<string, string>();
  const rooms = readdirSync(root).filter((name) => ROOMS.includes(name));
  for (const path of rooms.flatMap((room) => sourcesBelow(join(root, room)))) {
    for (const [code] of readFileSync(path, 'utf8').matchAll(CODE)) {
      if (!OF_NODE.has(code)) codes.set(code, path);
    }
  }
  return codes;
}

const entries = errorEntries(CATALOGUE);

test('the catalogue has every code of the sources: add yours to config/errors.yaml', () => {
  const known = new Set(entries.map(({ code }) => code));
  const missing = [...codesInSources()].filter(([code]) => !known.has(code));
  expect(missing).toEqual([]);
});

test('the catalogue has no code that the sources do not have, and each once', () => {
  const used = codesInSources();
  const codes = entries.map(({ code }) => code);
  expect(codes.filter((code) => !used.has(code))).toEqual([]);
  expect(new Set(codes).size).toBe(codes.length);
});

test('each code has a meaning and a remedy in whole sentences', () => {
  for (const { code, means, do: remedy } of entries) {
    for (const text of [means, remedy]) expect(text, code).toMatch(/^[A-Z`].*[.`]$/s);
  }
});

test('docs/ERRORS.md is current: node scripts/setup.mjs --build && node scripts/write-docs.mjs', () => {
  expect(readFileSync(join(root, 'docs/ERRORS.md'), 'utf8')).toBe(errorsPage(CATALOGUE));
});
