/** How long this disk takes to make 16 KiB safe: what every durable step waits for at least. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Quantiles, quantilesOf } from './quantiles.ts';

const BYTES = 16 * 1024;
const SYNCS = 200;

/** @param folder on the disk that is meant */
export function measureDiskSync(folder: string): Quantiles {
  const path = join(folder, 'sync-probe');
  const file = openSync(path, 'w');
  const block = new Uint8Array(BYTES);
  const samplesMs: number[] = [];
  for (let i = 0; i < SYNCS; i++) {
    writeSync(file, block, 0, BYTES, i * BYTES);
    const startedMs = performance.now();
    fdatasyncSync(file);
    samplesMs.push(performance.now() - startedMs);
  }
  closeSync(file);
  rmSync(path);
  return quantilesOf(samplesMs);
}
