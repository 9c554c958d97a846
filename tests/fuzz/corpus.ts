/** Inputs kept in git: hand-made ones and those that once broke something. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Mutator } from './mutation/mutator.ts';
import type { FuzzTarget } from './target.ts';

/** From the repository's root, where every command of ours runs, also when this file was built. */
export const CORPUS = join(process.cwd(), 'tests', 'fuzz', 'corpus');

/** The input that the command feeds just now, for `--replay` should it break the whole process. */
export const AT_HAND = join(process.cwd(), '.cache', 'fuzz', 'at-hand');

export interface CorpusFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** In the order of their names. */
export function corpusOf(target: FuzzTarget): CorpusFile[] {
  const folder = join(CORPUS, target.name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** Makes the inputs of a target out of its seeds and its corpus. */
export function mutatorOf(target: FuzzTarget): Mutator {
  const seeds = target.seeds().map((seed) => Buffer.from(seed as string));
  const bases = [...seeds, ...corpusOf(target).map(({ bytes }) => bytes)];
  return new Mutator(target.format, bases, target.words ?? []);
}

/** Keeps an input that broke something. @returns its path from the root */
export function keep(target: string, why: string, bytes: Uint8Array): string {
  const folder = join(CORPUS, target);
  mkdirSync(folder, { recursive: true });
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 10);
  const path = join(folder, `${why}-${hash}`);
  writeFileSync(path, bytes);
  return relative(process.cwd(), path);
}
