/** Reads a property out of an event or a profile by its path. */

export type PropertyReader = (properties: Readonly<Record<string, unknown>>) => unknown;

/**
 * The reader of `a.b`: the property of exactly that name if there is one, else `b` inside `a`.
 * Only own properties of objects count, and whole numbers reach into lists (`items.0.sku`), so
 * that `constructor` or `length` find nothing that the sender did not write.
 * @returns a function that gives `undefined` for a missing property and for `null`
 */
export function propertyReader(path: string): PropertyReader {
  const segments = path.split('.');
  if (segments.length === 1) return (properties) => own(properties, path);
  return (properties) => {
    const literal = own(properties, path);
    if (literal !== undefined) return literal;
    let value: unknown = properties;
    for (const segment of segments) {
      value = own(value, segment);
      if (value === undefined) return undefined;
    }
    return value;
  };
}

function own(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  if (Array.isArray(value) && key === 'length') return undefined;
  return (value as Readonly<Record<string, unknown>>)[key] ?? undefined;
}
