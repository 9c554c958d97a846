/**
 * Finds where the elements of a JSON array stand in its bytes, so that an element can be measured
 * and kept exactly as it came. The bytes must be JSON that has been parsed already: nothing is
 * checked here.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
/** Of one character: `\u0061`. */
const ESCAPED_BYTES_MAX = 6;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function skipSpace(bytes: Uint8Array, at: number): number {
  let i = at;
  while (i < bytes.length && isSpace(bytes[i]!)) i++;
  return i;
}

/** The position behind the text that starts at `at`. */
function endOfText(bytes: Uint8Array, at: number): number {
  let i = at + 1;
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i + 1;
}

/** The position behind the value that starts at `at`. */
function endOfValue(bytes: Uint8Array, at: number): number {
  let depth = 0;
  let i = at;
  while (i < bytes.length) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      i = endOfText(bytes, i);
      if (depth === 0) return i;
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) {
      // The bracket of whatever holds this value.
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return i;
    i++;
  }
  return i;
}

/**
 * @param at where the array's bracket stands, or space before it
 * @returns start and end of each element, one after the other; empty when there is no array
 */
export function arrayElementSpans(bytes: Uint8Array, at: number): number[] {
  const spans: number[] = [];
  let i = skipSpace(bytes, at);
  if (bytes[i] !== 0x5b) return spans;
  i = skipSpace(bytes, i + 1);
  while (i < bytes.length && bytes[i] !== 0x5d) {
    const end = endOfValue(bytes, i);
    spans.push(i, end);
    i = skipSpace(bytes, end);
    if (bytes[i] === COMMA) i = skipSpace(bytes, i + 1);
  }
  return spans;
}

/**
 * Where the value of an object's member starts; of equal names the last counts, as in JSON.parse.
 * @param name plain ASCII
 * @returns -1 when there is no such member
 */
export function memberValueStart(bytes: Uint8Array, at: number, name: string): number {
  let found = -1;
  let i = skipSpace(bytes, at);
  if (bytes[i] !== 0x7b) return found;
  i = skipSpace(bytes, i + 1);
  while (i < bytes.length && bytes[i] === QUOTE) {
    const keyEnd = endOfText(bytes, i);
    const matches = isName(bytes, i, keyEnd, name);
    i = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
    if (matches) found = i;
    i = skipSpace(bytes, endOfValue(bytes, i));
    if (bytes[i] === COMMA) i = skipSpace(bytes, i + 1);
  }
  return found;
}

/** Whether the text from quote to quote is `name`, however it is escaped. */
function isName(bytes: Uint8Array, at: number, end: number, name: string): boolean {
  if (end - at === name.length + 2) return startsWithText(bytes, at + 1, name);
  if (end - at > ESCAPED_BYTES_MAX * name.length + 2) return false;
  const quoted = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
  return quoted.includes(BACKSLASH) && JSON.parse(quoted.toString()) === name;
}

function startsWithText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
