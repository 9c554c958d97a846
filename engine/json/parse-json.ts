/**
 * JSON as a stream of events needs it: whole numbers of up to 64 bits keep every digit, larger
 * ones become texts of their digits, and texts are well-formed Unicode. What `JSON.parse` refuses
 * is refused, and the ordinary text costs two quick searches more than `JSON.parse`.
 */
import { wholeNumberIn } from './whole-numbers.ts';

/** What had to be changed, counted since the counts were made. */
export interface JsonRepairs {
  /** Lone surrogates that became U+FFFD. */
  surrogates: number;
  /** Whole numbers beyond 64 bits that became texts. */
  numbersAsText: number;
}

/** Characters of the shortest number that a double may not hold. */
const LONG_NUMBER_CHARS = 16;
const NUMBER_CHARS = /[-+.\deE]*/y;
const ESCAPE = /\\(?:u([\da-fA-F]{4})|.)/gs;
const LONE_CHARS = '\\ufffd';
/**
 * Values nested deeper keep their numbers as doubles. More than any limit lets an event nest; it
 * keeps hostile texts from exhausting the stack.
 */
const DEPTH_MAX = 100;

/**
 * @param repairs is added to when the text is JSON
 * @throws SyntaxError as `JSON.parse`
 * @example
 * parseJson('{"cart": 7615917337495251231}'); // { cart: 7615917337495251231n }
 */
export function parseJson(text: string, repairs?: JsonRepairs): unknown {
  const hasEscapes = text.includes('\\u');
  const lone = hasEscapes ? withoutLoneSurrogates(text) : undefined;
  const sound = lone?.text ?? text;
  const value = JSON.parse(sound) as unknown;
  if (lone !== undefined && repairs !== undefined) repairs.surrogates += lone.count;
  return mayHoldLongNumber(sound) ? withWholeNumbers(sound, value, repairs) : value;
}

/** Looks at each 16th character only: a run of 16 digits has one of them. */
function mayHoldLongNumber(text: string): boolean {
  for (let at = LONG_NUMBER_CHARS - 1; at < text.length; at += LONG_NUMBER_CHARS) {
    if (!isOfNumber(text.charCodeAt(at))) continue;
    let start = at;
    let end = at + 1;
    while (isOfNumber(text.charCodeAt(start - 1))) start--;
    while (isOfNumber(text.charCodeAt(end))) end++;
    if (end - start >= LONG_NUMBER_CHARS) return true;
  }
  return false;
}

/** A digit or the point; false outside of a text, where codes are NaN. */
function isOfNumber(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2e;
}

/** A lone half is as long as U+FFFD, so all else stays where it was in the text. */
function withoutLoneSurrogates(text: string): { text: string; count: number } | undefined {
  const halves: number[] = [];
  let high = -1;
  for (const match of text.matchAll(ESCAPE)) {
    const code = match[1] === undefined ? 0 : Number.parseInt(match[1], 16);
    const { index } = match;
    const isLow = code >= 0xdc00 && code < 0xe000;
    if (isLow && high !== -1 && high + LONE_CHARS.length === index) {
      high = -1;
      continue;
    }
    if (high !== -1) halves.push(high);
    high = code >= 0xd800 && code < 0xdc00 ? index : -1;
    if (isLow) halves.push(index);
  }
  if (high !== -1) halves.push(high);
  if (halves.length === 0) return undefined;
  let sound = '';
  let from = 0;
  for (const at of halves) {
    sound += `${text.slice(from, at)}${LONE_CHARS}`;
    from = at + LONE_CHARS.length;
  }
  return { text: sound + text.slice(from), count: halves.length };
}

/**
 * Parses the text once more with a text in place of each large whole number. Where one tree has a
 * number and the other has a text, a large one stood: no text of a sender can look like it.
 */
function withWholeNumbers(text: string, value: unknown, repairs: JsonRepairs | undefined): unknown {
  const wholes: (bigint | string)[] = [];
  let quoted = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfText(text, at);
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      NUMBER_CHARS.lastIndex = at;
      const [token] = NUMBER_CHARS.exec(text)!;
      const whole = wholeNumberIn(token);
      if (whole !== undefined) {
        quoted += `${text.slice(from, at)}"${wholes.push(whole) - 1}"`;
        from = at + token.length;
      }
      at += token.length - 1;
    }
  }
  if (wholes.length === 0) return value;
  if (repairs !== undefined) {
    repairs.numbersAsText += wholes.filter((whole) => typeof whole === 'string').length;
  }
  return merged(value, JSON.parse(quoted + text.slice(from)), wholes, 0);
}

/** Where the text that starts at `at` has its closing quote. */
function endOfText(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

function merged(
  value: unknown,
  quoted: unknown,
  wholes: readonly (bigint | string)[],
  depth: number,
): unknown {
  if (typeof value === 'number') {
    return typeof quoted === 'string' ? wholes[Number(quoted)] : value;
  }
  if (typeof value !== 'object' || value === null || depth >= DEPTH_MAX) return value;
  const from = quoted as Record<string, unknown>;
  const to = value as Record<string, unknown>;
  for (const key of Object.keys(to)) {
    const before = to[key];
    const after = merged(before, from[key], wholes, depth + 1);
    if (after === before) continue;
    // Defined, not assigned: the key may be `__proto__`.
    Object.defineProperty(to, key, {
      value: after,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return value;
}
