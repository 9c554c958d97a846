/**
 * Redraws a block of lines in place. By hand and not by a package: log-update, the one to take,
 * has left Node 20, and what is needed of it is this.
 */
import { stripVTControlCharacters } from 'node:util';

const ESCAPE = '\u001b[';
const CURSOR = { hide: `${ESCAPE}?25l`, show: `${ESCAPE}?25h` } as const;
const CLEAR_TO_LINE_END = `${ESCAPE}K`;
const CLEAR_BELOW = `${ESCAPE}J`;

export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export class LiveView {
  readonly #terminal: Terminal;
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.write(CURSOR.hide);
  }

  /** Lines are cut to the terminal's width, and those that its height has no room for left out. */
  draw(lines: readonly string[]): void {
    const { columns = 80, rows = 24 } = this.#terminal;
    const shown = lines.slice(0, rows - 1).map((line) => cut(line, columns));
    // One write: a half-drawn block would flicker.
    const up = this.#drawn === 0 ? '' : `${ESCAPE}${this.#drawn}F`;
    const body = shown.map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join('');
    this.#terminal.write(`${up}${body}${CLEAR_BELOW}`);
    this.#drawn = shown.length;
  }

  /** Leaves what was drawn last, and the cursor below it. */
  end(): void {
    this.#terminal.write(CURSOR.show);
  }
}

/** Styles count nothing; a line that is too long loses them with its end. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}

type Style = (text: string) => string;

/** Bold, dim and colours; none when `NO_COLOR` asks for none. */
export function styles(env: Readonly<Record<string, string | undefined>>): {
  readonly bold: Style;
  readonly dim: Style;
  readonly green: Style;
  readonly yellow: Style;
} {
  const isPlain = (env.NO_COLOR ?? '') !== '';
  const style = (on: number, off: number): Style =>
    isPlain ? (text) => text : (text) => `${ESCAPE}${on}m${text}${ESCAPE}${off}m`;
  return { bold: style(1, 22), dim: style(2, 22), green: style(32, 39), yellow: style(33, 39) };
}
