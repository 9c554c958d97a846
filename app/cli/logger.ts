/** The log of a running Lapse: JSON for programs, sentences for people at a terminal. */
import { type Logger, pino } from 'pino';
import { userError } from '../../engine/errors/errors.ts';
import { visibleText } from './visible-text.ts';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Errors red, warnings yellow, the rest as it is. */
const COLOURS: Readonly<Record<string, string>> = { warn: '\u001b[33m', error: '\u001b[31m' };
const DIM = '\u001b[2m';
const PLAIN = '\u001b[0m';
const FORMATS = ['json', 'text'] as const;

export interface LoggerOptions {
  /** `--json`: JSON on a terminal too. @default false */
  readonly asJson?: boolean;
}

/**
 * Writes to stderr. Fields are a closed set: cause, url, opsUrl, log, where,
 * code, signal, ms and counts.
 * @throws LapseError `ERR_SETTINGS` when `LAPSE_LOG_LEVEL` or `LAPSE_LOG_FORMAT` is unknown
 */
export function createLogger({ asJson = false }: LoggerOptions = {}): Logger {
  const { isTTY } = process.stderr;
  const format = choiceOf('LAPSE_LOG_FORMAT', FORMATS) ?? (isTTY ? 'text' : 'json');
  const level = choiceOf('LAPSE_LOG_LEVEL', [...Object.values(LEVELS), 'silent']) ?? 'info';
  const hasColours = isTTY && process.env.NO_COLOR === undefined;
  const options = { base: null, level, timestamp: pino.stdTimeFunctions.isoTime };
  if (asJson || format === 'json') return pino(options, jsonDestination());
  return pino(options, {
    write: (line) => void process.stderr.write(`${logText(line, hasColours)}\n`),
  });
}

/** A log that nobody reads any more, as when its terminal was closed, is no reason to stop. */
function jsonDestination(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: 2, sync: true });
  destination.on('error', () => undefined);
  return destination;
}

function choiceOf(name: string, words: readonly string[]): string | undefined {
  const given = process.env[name] || undefined;
  if (given === undefined || words.includes(given)) return given;
  throw userError(
    'ERR_SETTINGS',
    `${name} must be one of ${words.join(', ')}, got ${JSON.stringify(given)}`,
    { name },
  );
}

/**
 * One line of the JSON log as people read it: `09:15:02.123 warn  A sentence. code=ERR_LOG_FULL`.
 * @param json as pino writes it
 */
export function logText(json: string, hasColours: boolean): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const name = LEVELS[Number(level)] ?? String(level);
  const clock = String(time).slice(11, 23);
  const shown = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`);
  const sentence = visibleText(String(msg ?? ''));
  if (!hasColours) return [clock, name.padEnd(5), sentence, ...shown].join(' ');
  const colour = COLOURS[name] ?? '';
  const tail = shown.length === 0 ? '' : ` ${DIM}${shown.join(' ')}${PLAIN}`;
  return `${DIM}${clock}${PLAIN} ${colour}${name.padEnd(5)} ${sentence}${PLAIN}${tail}`;
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return visibleText(/[\s"=]/.test(text) ? JSON.stringify(text) : text);
}
