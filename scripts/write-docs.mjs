#!/usr/bin/env node
// Writes the pages of docs/ that are made of sources, with what was built of them:
//   node scripts/setup.mjs --build && node scripts/write-docs.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { errorsPage } = await import('../dist/config/pages/errors-page.js');
const catalogue = readFileSync(join(root, 'config', 'errors.yaml'), 'utf8');
writeFileSync(join(root, 'docs', 'ERRORS.md'), errorsPage(catalogue));

const { definitionsPage } = await import('../dist/config/pages/definitions-page.js');
writeFileSync(join(root, 'docs', 'DEFINITIONS.md'), definitionsPage());
