import { describe, expect, test } from 'vitest';
import { emptyReport, withEnvironment } from '../../../config/definitions/environment.ts';
import { readYaml } from '../../../config/definitions/yaml-text.ts';
import { DEFINITION_DEPTH_MAX, DEFINITION_VALUES_MAX } from '../../../config/limits.ts';

const refusalOf = (text: string) => (readYaml(text) as { refused?: string }).refused;

describe('YAML of people we need not trust', () => {
  test.each(['[', '{"a":', '- ', '? '])('nesting by %j is refused where it is too deep', (open) => {
    const refused = refusalOf(open.repeat(100_000));
    const column = Number(/ at line 1, column (\d+): it is nested more than/.exec(refused!)?.[1]);
    // Not after the whole text was read, whose nesting costs more than its length.
    expect(column).toBeLessThanOrEqual((DEFINITION_DEPTH_MAX + 5) * open.length);
  });

  test.each([
    ['[', ']'],
    ['{"a":', '}'],
  ])(
    'nesting by %j up to the limit, and one more to be named with its path, is read',
    (open, close) => {
      const depth = DEFINITION_DEPTH_MAX + 2;
      expect(refusalOf(`${open.repeat(depth)}1${close.repeat(depth)}`)).toBeUndefined();
    },
  );

  test('a key that comes twice is refused', () => {
    expect(refusalOf('a: 1\nb: 2\na: 3\n')).toBe(' at line 3, column 1: Map keys must be unique');
  });

  test('whatever `%YAML` says, a date is a text', () => {
    const text = '%YAML 1.1\n---\nat: 2026-01-05\nis: yes\nclock: 22:00\n';
    expect(readYaml(text)).toEqual({ value: { at: '2026-01-05', is: 'yes', clock: '22:00' } });
  });

  test.each(['<<: {a: 1}', '<<: *base', '<<: [*base]', '{<<: *base}', '? <<\n: *base'])(
    'a merge is refused by name: %s',
    (merge) => {
      expect(
        refusalOf(`base: &base {a: 1}\nother:\n  ${merge.replaceAll('\n', '\n  ')}\n`),
      ).toMatch(
        /^ at line 3, column [345]: merging with << is not supported; write the keys out, or /,
      );
    },
  );

  test('a key that is called << in quotes is a key', () => {
    expect(readYaml('{"<<": {"a": 1}, "b": "<<"}')).toEqual({ value: { '<<': { a: 1 }, b: '<<' } });
  });

  test.each([
    ['7615917337495251231', 7_615_917_337_495_251_231n],
    ['+9007199254740993', 9_007_199_254_740_993n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['009007199254740993', 9_007_199_254_740_993n],
    ['18446744073709551616', '18446744073709551616'],
    ['0xFFFFFFFFFFFFFFFF', 2n ** 64n - 1n],
    ['0o17', 15],
    ['1e18', 10n ** 18n],
    ['1.0', 1],
    ['0050', 50],
    ['-0', -0],
    ['.inf', Number.POSITIVE_INFINITY],
    ['9'.repeat(400), '9'.repeat(400)],
  ])('the number %s keeps every digit', (text, value) => {
    expect(readYaml(`[${text}]`)).toEqual({ value: [value] });
    expect(readYaml(`"${text}"`)).toEqual({ value: text });
  });

  test('aliases that stand for more than any memory holds are refused once', () => {
    const levels = Array.from({ length: 20 }, (_, i) => {
      const before =
        i === 0 ? '[x]' : `[${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`;
      return `l${i}: &a${i} ${before}`;
    });
    const read = readYaml(levels.join('\n'));
    const report = emptyReport();
    if ('value' in read) withEnvironment(read.value, {}, report);
    const { complaints } = report;
    const messages = complaints.map(({ message }) => message);
    const isSaid = 'refused' in read || messages.join().includes(`${DEFINITION_VALUES_MAX} values`);
    expect(isSaid).toBe(true);
    expect(complaints.length).toBeLessThan(2);
  });
});
