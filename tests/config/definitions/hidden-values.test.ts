// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
import { describe, expect, test } from 'vitest';
import { type ParseOptions, parseDefinitions } from '../../../config/definitions/definitions.ts';
import type { DefinitionsError } from '../../../config/definitions/problem.ts';
import { readYaml } from '../../../config/definitions/yaml-text.ts';
import { describeValue } from '../../../engine/errors/wording.ts';
import { changed, type Loose } from './valid.ts';

const SECRET = 's3cr3t-value';

function messages(change: (definitions: Loose) => void, options: ParseOptions = {}): string[] {
  try {
    parseDefinitions(changed(change), options);
  } catch (error) {
    return (error as DefinitionsError).problems.map(({ message }) => message);
  }
  return [];
}

/** Puts a value to every place of the definitions in turn, and collects all that is said of it. */
function sayingsOf(written: unknown, options: ParseOptions): string[] {
  const said: string[] = [];
  const visit = (path: readonly (string | number)[], value: unknown): void => {
    if (path.length > 0) {
      const change = (definitions: Loose) => {
        let parent = definitions;
        for (const key of path.slice(0, -1)) parent = parent[key];
        parent[path.at(-1)!] = written;
      };
      said.push(...messages(change, options));
    }
    if (typeof value !== 'object' || value === null) return;
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    for (const [key, child] of entries) visit([...path, key], child);
  };
  visit(
    [],
    changed(() => undefined),
  );
  return said;
}

describe('hidden values', () => {
  test('no sentence shows what came from the environment, whatever key it is put under', () => {
    const values = [
      SECRET,
      `https://u:${SECRET}@a.example`,
      `"${SECRET}"`,
      `${SECRET} `.repeat(20),
    ];
    for (const value of values) {
      const said = sayingsOf('${NAME}', { env: { NAME: value } });
      expect(said.length).toBeGreaterThan(10);
      expect(said.filter((message) => message.includes(SECRET))).toEqual([]);
      expect(said.filter((message) => message.includes('got "${NAME}"')).length).toBeGreaterThan(5);
    }
  });

  test('a number that came from the environment is not shown either', () => {
    const env = { LIMIT: '987654' };
    const said = messages(
      ({ webhooks }) => {
        webhooks[0].maxInFlight = '${LIMIT}';
      },
      { env },
    );
    expect(said).toEqual([
      'webhooks[0].maxInFlight must be a whole number between 1 and 1024, got "${LIMIT}"',
    ]);
  });

  test.each([
    ['password', 987_654],
    ['password', `${SECRET}\n`],
    ['username', `${SECRET}:`],
  ])('what is written under auth.basic.%s is not shown: %j', (key, value) => {
    const said = messages(({ webhooks }) => {
      webhooks[0].auth = { basic: { username: 'u', password: 'p', [key]: value } };
    });
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/, got a hidden (?:value|text of length \d+)$/);
  });

  test('credentials in the wrong form are not shown', () => {
    const said = messages(({ webhooks }) => {
      webhooks[0].auth = `Bearer ${SECRET}`;
    });
    expect(said).toEqual([
      `webhooks[0].auth must be a mapping, got a hidden text of length ${`Bearer ${SECRET}`.length}`,
    ]);
  });

  test.each([
    ['https://user:s3cr3t@host/path', '"https://***@host/path"'],
    ['nats://a:s3cr3t@one, nats://b:s3cr3t@two', '"nats://***@two"'],
    ['nats://user:s3/cr@3t@host', '"nats://***@host"'],
    ['user:s3cr3t@host:4222', '"***@host:4222"'],
    ['a@example.com', '"a@example.com"'],
  ])('user name and password of %s are hidden', (value, shown) => {
    expect(describeValue(value)).toBe(shown);
  });

  test.each([
    `password: "${SECRET}" x`,
    `password: !${SECRET}`,
    `password: *${SECRET}`,
    `password: |${SECRET}`,
    `password: 'a' ${SECRET}: b`,
    `- ${SECRET}\npassword: x`,
    `password: "\\q${SECRET}"`,
  ])('a file that is no YAML is refused without showing a part of it: %s', (text) => {
    const read = readYaml(`a: 1\n${text}\n`);
    expect('refused' in read ? read.refused : 'taken').not.toMatch(/taken|s3cr3t/);
  });
});

describe('placeholders', () => {
  const hasPlaceholders = true;
  const secretive = ({ webhooks, campaigns, nats }: Loose) => {
    webhooks[0].url = 'https://${HOST}/in?key=${KEY}';
    webhooks[0].secret = '${SIGNING}';
    webhooks[0].headers = { 'X-Key': 'a ${KEY}' };
    webhooks[0].auth = { bearer: '${TOKEN}' };
    campaigns[0].content.keyValues = { Code: '${CODE}' };
    if (nats !== undefined) nats.password = '${NATS}';
  };

  test('stand for variables that are not set, where only a request needs them', () => {
    expect(messages(secretive, { hasPlaceholders })).toEqual([]);
  });

  test('stand for nothing without being asked to', () => {
    const said = messages(secretive);
    expect(said).toContain(
      'webhooks[0].secret must be given the environment variable SIGNING, got nothing: it is not set',
    );
  });

  test('stand for nothing that decides who qualifies', () => {
    const said = messages(
      ({ campaigns }) => {
        campaigns[0].ttl = '${TTL}';
      },
      { hasPlaceholders },
    );
    expect(said).toEqual([
      'campaigns[0].ttl must be given the environment variable TTL, got nothing: it is not set',
    ]);
  });

  test('that do not do are said as variables that are not set', () => {
    const said = messages(
      ({ webhooks }) => {
        webhooks[0].url = 'https://crm.example.com:${PORT}/in';
      },
      { hasPlaceholders },
    );
    expect(said).toEqual([
      'webhooks[0].url must be given the environment variable PORT, got nothing: it is not set',
    ]);
  });
});
