// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import { DefinitionsError } from '../../../config/definitions/problem.ts';
import { type Loose, validDefinitions } from './valid.ts';

/** Everything that can be put in the place of a value, or under a new key. */
const intruder = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(undefined, Number.NaN, '${A}', '${', '{{ x }}', [], {}, -1, 2 ** 60, '1s'),
);

function mutate(root: Loose, seed: number, value: unknown, key: string): unknown {
  const places: [Loose, string][] = [];
  const visit = (node: Loose): void => {
    if (typeof node !== 'object' || node === null) return;
    places.push([node, key]);
    for (const name of Object.keys(node)) {
      places.push([node, name]);
      visit(node[name]);
    }
  };
  visit(root);
  const [node, name] = places[seed % places.length]!;
  // Lists that come out of a file have elements and nothing else.
  if (Array.isArray(node) && !/^\d+$/.test(name)) return root;
  if (value === 'delete') delete node[name];
  // A copy: mutating what is shared would make rings of it.
  else node[name] = structuredClone(value);
  return root;
}

test('parseDefinitions: throws nothing but DefinitionsError, for random mutations', () => {
  const keys = fc.constantFrom(
    'where',
    '__proto__',
    'constructor',
    'x',
    'segments',
    'cap',
    '0',
    'length',
  );
  const steps = fc.array(fc.tuple(fc.nat(), fc.oneof(intruder, fc.constant('delete')), keys), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(steps, (list) => {
      let value: unknown = validDefinitions();
      for (const [seed, intruding, key] of list) value = mutate(value, seed, intruding, key);
      try {
        const definitions = parseDefinitions(value);
        expect(JSON.parse(JSON.stringify(definitions))).toEqual(definitions);
      } catch (error) {
        expect(error).toBeInstanceOf(DefinitionsError);
        for (const { message } of (error as DefinitionsError).problems) {
          expect(message).toMatch(/ must .*, got |is not built yet/s);
        }
      }
    }),
    { numRuns: 500 },
  );
});
