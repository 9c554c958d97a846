import { describe, expect, test, vi } from 'vitest';
import { printJson } from '../../../app/cli/command-line.ts';
import { logText } from '../../../app/cli/logger.ts';
import { visibleText } from '../../../app/cli/visible-text.ts';

const WARNING = JSON.stringify({
  level: 40,
  time: '2026-01-05T09:15:02.123Z',
  where: 'webhook crm',
  code: 'ERR_LOG_FULL',
  ms: 12,
  msg: 'The log is full.',
});

describe('logText', () => {
  test('a line has the time, the level, the sentence and its fields', () => {
    expect(logText(WARNING, false)).toBe(
      '09:15:02.123 warn  The log is full. where="webhook crm" code=ERR_LOG_FULL ms=12',
    );
  });

  test('colours stand around the same text', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are made of them.
    const bare = logText(WARNING, true).replace(/\u001b\[\d*m/g, '');
    expect(bare).toBe(logText(WARNING, false));
  });

  test('what others have written is shown and not obeyed', () => {
    const msg = 'A name is \u001b]0;owned\u0007\nfake line';
    const text = logText(JSON.stringify({ level: 30, time: '', msg, url: '\u009b2J' }), false);
    expect(text).toContain('A name is \\u001b]0;owned\\u0007\\nfake line url=\\u009b2J');
  });
});

test('visibleText: letters of every language stay as they are', () => {
  const text = 'naïve 名前 🎈 עברית "quoted" \\';
  expect(visibleText(text)).toBe(text);
});

test('visibleText: marks that turn the direction of writing are shown', () => {
  expect(visibleText('a\u202eb\u2066c')).toBe('a\\u202eb\\u2066c');
});

test('printJson: a line of JSON keeps its values and nothing that a terminal obeys', () => {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  const value = { user: 'a\u009b2J\u202eb\u007f\u001b[2J\n' };
  try {
    printJson(value);
  } finally {
    spy.mockRestore();
  }
  const line = written.join('').replace(/\n$/, '');
  expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  expect(JSON.parse(line)).toEqual(value);
});
