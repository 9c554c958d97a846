#!/usr/bin/env node
// Writes config/lapse.schema.json from the schema in config/definitions, as it was built:
//   node scripts/setup.mjs --build && node scripts/write-schema.mjs
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { definitionsJsonSchema } = await import('../dist/config/definitions/json-schema.js');
const text = `${JSON.stringify(definitionsJsonSchema(), null, 2)}\n`;
writeFileSync(join(root, 'config', 'lapse.schema.json'), text);

// The page of definitions is made of the same schema.
await import('./write-docs.mjs');
