import { describe, expect, test } from 'vitest';
import { parseLine } from '../../../app/cli/commands/import-lines.ts';

const parse = (bytes: Uint8Array) => parseLine(bytes, () => 'new');

describe('a line to import', () => {
  test('bytes that are no UTF-8 are refused, not repaired', () => {
    const line = parse(Buffer.from('{"userId":"\u00e9"}', 'latin1'));
    expect(line).toMatchObject({ code: 'ERR_EVENT_JSON' });
  });

  test('a user that is an object has no text, whatever its members are called', () => {
    const line = parse(Buffer.from('{"userId":{"toString":1,"valueOf":1}}'));
    expect(line).toMatchObject({ user: '' });
  });
});
