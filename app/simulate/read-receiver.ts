/** Reads the script of a simulated receiver as YAML, of which JSON is a part. */
import { readFileSync } from 'node:fs';
import { readYaml } from '../../config/definitions/yaml-text.ts';
import { messageOf, userError } from '../../engine/errors/errors.ts';

/** @throws LapseError `ERR_RECEIVER` */
export function readReceiver(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(path, messageOf(error));
  }
  return parseReceiver(text, path);
}

/**
 * The value of a script's text; `ScriptedReceiver` checks what it says.
 * @param path names it in sentences
 * @throws LapseError `ERR_RECEIVER`
 */
export function parseReceiver(text: string, path: string): unknown {
  const read = readYaml(text);
  if ('value' in read) return read.value;
  throw unreadable(path, `it has an error${read.refused}`);
}

function unreadable(path: string, reason: string): Error {
  return userError(
    'ERR_RECEIVER',
    `--receiver must be a readable file of YAML or JSON, ${path} is not: ${reason}`,
  );
}
