import { exactNumber, wholeNumber } from '../../engine/json/whole-numbers.ts';
import type { EventLimits } from './event-limits.ts';
import { describe, type Rejection, rejection } from './rejection.ts';

type Tree = Record<string, unknown>;

/**
 * Walks properties (or traits) once: counts, names, nesting, and that every value is JSON. In place,
 * an instant (msgpack has them) becomes its ISO text and a large whole number takes its one form
 * (`engine/json/whole-numbers.ts`); nothing else is changed or copied.
 * @param field how the sentences call them: `properties` or `traits`
 */
export function checkProperties(
  properties: Tree,
  field: string,
  limits: EventLimits,
): Rejection | undefined {
  let count = 0;
  for (const name in properties) {
    count++;
    const value = properties[name];
    const refused =
      checkName(name, field, limits) ?? checkValue(properties, name, value, field, limits, 1);
    if (refused !== undefined) return refused;
  }
  if (count <= limits.propertiesMax) return undefined;
  return rejection(
    'ERR_EVENT_PROPERTIES',
    `${field} must hold at most ${limits.propertiesMax} entries, got ${count}.`,
    { limit: 'propertiesMax', max: limits.propertiesMax, got: count },
  );
}

function checkName(name: string, field: string, limits: EventLimits): Rejection | undefined {
  if (name.length > limits.nameCharsMax) {
    return rejection(
      'ERR_EVENT_PROPERTIES',
      `Names in ${field} must have at most ${limits.nameCharsMax} characters, ` +
        `got one of ${name.length}.`,
      { limit: 'nameCharsMax', max: limits.nameCharsMax, got: name.length },
    );
  }
  return undefined;
}

function notJson(value: unknown, field: string, name: string): Rejection {
  return rejection(
    'ERR_EVENT_VALUE',
    `Values in ${field} must be JSON, got ${describe(value)} at ${JSON.stringify(name)}.`,
    { name },
  );
}

/** @param depth of `parent`, 1 for the properties themselves */
function checkValue(
  parent: Tree | unknown[],
  key: string | number,
  value: unknown,
  field: string,
  limits: EventLimits,
  depth: number,
): Rejection | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'bigint': {
      const whole = wholeNumber(value);
      if (whole !== value) replace(parent, key, whole);
      return undefined;
    }
    case 'number':
      if (Number.isSafeInteger(value) || !Number.isInteger(value)) {
        return Number.isFinite(value) ? undefined : notJson(value, field, String(key));
      }
      replace(parent, key, exactNumber(value));
      return undefined;
    case 'object':
      if (value === null) return undefined;
      if (value instanceof Date) return replaceInstant(parent, key, value, field);
      if (Array.isArray(value)) return checkArray(value, field, limits, depth + 1);
      if (!isPlainObject(value)) return notJson(value, field, String(key));
      return checkObject(value as Tree, field, limits, depth + 1);
    default:
      return notJson(value, field, String(key));
  }
}

function replaceInstant(
  parent: Tree | unknown[],
  key: string | number,
  value: Date,
  field: string,
): Rejection | undefined {
  if (Number.isNaN(value.getTime())) return notJson(value, field, String(key));
  replace(parent, key, value.toISOString());
  return undefined;
}

function replace(parent: Tree | unknown[], key: string | number, value: unknown): void {
  // Defined, not assigned: the key may be `__proto__`.
  Object.defineProperty(parent, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function checkArray(
  values: unknown[],
  field: string,
  limits: EventLimits,
  depth: number,
): Rejection | undefined {
  if (depth > limits.nestingMax) return tooDeep(field, limits);
  for (let i = 0; i < values.length; i++) {
    const refused = checkValue(values, i, values[i], field, limits, depth);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function checkObject(
  value: Tree,
  field: string,
  limits: EventLimits,
  depth: number,
): Rejection | undefined {
  if (depth > limits.nestingMax) return tooDeep(field, limits);
  for (const name in value) {
    // msgpackr reads it back under another name, so it would not survive the log.
    if (name === '__proto__') {
      return rejection(
        'ERR_EVENT_PROPERTIES',
        `Objects inside ${field} must not have the name "__proto__".`,
        { name },
      );
    }
    const refused =
      checkName(name, field, limits) ?? checkValue(value, name, value[name], field, limits, depth);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function tooDeep(field: string, limits: EventLimits): Rejection {
  return rejection(
    'ERR_EVENT_TOO_DEEP',
    `${field} must nest at most ${limits.nestingMax} objects and arrays, got more.`,
    { limit: 'nestingMax', max: limits.nestingMax },
  );
}

/** True for what JSON and msgpack give for an object; false for binary and extension values. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}
