/** Finds definition files and reads them as YAML, of which JSON is a part. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf } from '../../engine/errors/errors.ts';
import { DEFINITION_FILE_BYTES_MAX } from '../limits.ts';
import type { DefinitionsProblem } from './problem.ts';
import { type LineOf, lineFinder } from './yaml-lines.ts';
import { readYaml } from './yaml-text.ts';

export interface DefinitionFile {
  /** As it was named to us. */
  readonly file: string;
  /** Of a file that was read, with `WrittenScalar`s in it. */
  readonly value: unknown;
  /** Absent for a value that was given instead of a file. Reads the text again, so it costs. */
  readonly lines?: () => LineOf;
}

const ENDINGS = ['.yaml', '.yml', '.json'];

/**
 * Files stand for themselves, folders for the `*.yaml`, `*.yml` and `*.json` in and below them, in
 * the order of their names; hidden ones and `*.schema.json` are left out.
 * @param problems gets a sentence for all that cannot be read
 */
export function readDefinitionFiles(
  paths: readonly string[],
  problems: DefinitionsProblem[],
): DefinitionFile[] {
  const files: DefinitionFile[] = [];
  const seen = new Set<string>();
  for (const path of paths.flatMap((one) => expand(one, problems))) {
    if (seen.has(resolve(path))) continue;
    seen.add(resolve(path));
    const text = readText(path, problems);
    if (text === undefined) continue;
    const before = problems.length;
    const value = parseText(text, path, problems);
    if (problems.length === before)
      files.push({ file: path, value, lines: () => lineFinder(text) });
  }
  return files;
}

function problem(file: string, message: string, code: string): DefinitionsProblem {
  return { file, path: '', message, code };
}

function unreadable(file: string, error: unknown): DefinitionsProblem {
  const isMissing = (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';
  const reason = isMissing ? 'there is no such file or folder' : messageOf(error);
  const message = `the file must be readable, got an error: ${reason}`;
  return problem(file, message, 'ERR_DEFINITIONS_FILE');
}

function expand(path: string, problems: DefinitionsProblem[]): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const found = filesBelow(path);
    if (found.length > 0) return found;
    const message = `the folder must hold files ending in ${ENDINGS.join(', ')}, got none`;
    problems.push(problem(path, message, 'ERR_DEFINITIONS_FILE'));
  } catch (error) {
    problems.push(unreadable(path, error));
  }
  return [];
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const { name } = entry;
    if (name.startsWith('.') || name === 'node_modules') return [];
    const path = join(folder, name);
    if (entry.isDirectory()) return filesBelow(path);
    const isDefinitions =
      ENDINGS.some((end) => name.endsWith(end)) && !name.endsWith('.schema.json');
    // A mounted configuration is often a link to the file.
    return isDefinitions && statSync(path).isFile() ? [path] : [];
  });
}

function readText(path: string, problems: DefinitionsProblem[]): string | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > DEFINITION_FILE_BYTES_MAX) {
      const message = `the file must be at most ${DEFINITION_FILE_BYTES_MAX} bytes, got ${bytes.length}`;
      problems.push(problem(path, message, 'ERR_DEFINITIONS_FILE'));
      return undefined;
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    problems.push(unreadable(path, error));
    return undefined;
  }
}

/** The value of a YAML or JSON text, with `WrittenScalar`s in it; what is wrong goes to `problems` with line and column. */
export function parseText(text: string, file: string, problems: DefinitionsProblem[]): unknown {
  const read = readYaml(text, { keepsWritten: true });
  if ('value' in read) return read.value;
  const sentence = `the file must be one YAML document, got an error${read.refused}`;
  const line = /^ at line (\d+),/.exec(read.refused)?.[1];
  const found = problem(file, sentence, 'ERR_DEFINITIONS_SYNTAX');
  problems.push(line === undefined ? found : { ...found, line: Number(line) });
  return undefined;
}
