#!/usr/bin/env node
// The command line's entry. Plain JavaScript, so that it can build a fresh clone before it starts.
import { existsSync } from 'node:fs';
import './early-signals.mjs';

const root = new URL('../', import.meta.url);
const main = new URL('dist/app/cli/main.js', root);
// Run from a clone, a missing or stale build is made first; an installed package has no sources.
if (existsSync(new URL('engine/', root))) await import(new URL('scripts/setup.mjs', root));
await import(main);
