#!/usr/bin/env node
// Builds the simulation and runs its seeds: `npm run seeds -- --help`.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildTests, SIMULATION } from './build-tests.mjs';

const built = buildTests('simulation', SIMULATION);
await import(pathToFileURL(join(built, 'tests', 'simulation', 'seeds.js')).href);
