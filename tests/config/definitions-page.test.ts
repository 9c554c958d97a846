import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENVIRONMENT_NAMES } from '../../config/definitions/environment-names.ts';
import { definitionsPage } from '../../config/pages/definitions-page.ts';

const page = definitionsPage();

test('docs/DEFINITIONS.md is current: node scripts/setup.mjs --build && node scripts/write-docs.mjs', () => {
  const stored = new URL('../../docs/DEFINITIONS.md', import.meta.url);
  expect(readFileSync(stored, 'utf8')).toBe(page);
});

test('the page names every environment variable', () => {
  expect([...ENVIRONMENT_NAMES].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('every key says what it must be and what it is for', () => {
  const rows = page.split('\n').filter((line) => /^\| `/.test(line));
  expect(rows.length).toBeGreaterThan(100);
  for (const row of rows) {
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const [form, meaning] = cells.length === 6 ? [cells[2], cells[4]] : [cells[4], cells[6]];
    expect(form, row).not.toBe('');
    expect(meaning, row).not.toBe('');
  }
});

test('a rule of a sample is documented with its default', () => {
  expect(page).toContain('### `campaigns[].qualify.live.inaction`');
  expect(page).toMatch(/\| `onRepeat` \| restart, keepFirst or parallel \| `restart` \|/);
});
