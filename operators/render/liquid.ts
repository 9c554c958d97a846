/**
 * Liquid, locked down: no file, no partial, no prototype, no clock and no chance. What a template
 * may cost is counted, never timed, so that `serve`, `simulate` and a replay end it alike.
 */
import { Context, defaultOperators, Liquid, type Template, toValueSync } from 'liquidjs';
import { writeJson } from '../../engine/json/write-json.ts';
import { RenderRefusal } from './template-failure.ts';

export const TEMPLATE_CHARS_MAX = 16_384;
/** Characters of the rendered text. */
export const OUTPUT_CHARS_MAX = 262_144;
/** Nodes that one rendering may visit; a body of 20 values visits 42. */
const STEPS_MAX = 5_000;
/** Operators, steps into properties, filters and lengths of texts; 20 values cost 270. */
const BUDGET_MAX = 50_000;

const TAGS = new Set([
  ...['assign', 'if', 'unless', 'case', 'for', 'capture', 'comment', 'raw', 'break', 'continue'],
  '#',
]);

/** They run expressions from texts, draw lots, switch the escaping off or cost without bound. */
const DROPPED_FILTERS = [
  ...['where_exp', 'reject_exp', 'group_by_exp', 'has_exp', 'find_exp', 'find_index_exp'],
  ...['sample', 'raw', 'inspect', 'jsonify', 'xml_escape', 'cgi_escape'],
  ...['number_of_words', 'base64_decode'],
];

/** What a filter costs for each element of a list. */
const COST_PER_ELEMENT: Readonly<Record<string, number>> = {
  ...{ where: 5, reject: 5, has: 5, find: 5, find_index: 5, map: 5, group_by: 5 },
  ...{ sort: 10, sort_natural: 20, sum: 3, uniq: 3, compact: 3, concat: 2 },
};

/** What a call costs, where it is more than `CALL_COST`. */
const COST_PER_CALL: Readonly<Record<string, number>> = {
  ...{ date: 100, date_to_xmlschema: 100, date_to_string: 100, date_to_long_string: 100 },
  ...{ date_to_rfc822: 100, sha256: 50, hmac_sha256: 100, json: 20, strip_html: 20 },
  ...{ escape: 10, truncatewords: 20, slugify: 50 },
};
const CALL_COST = 2;

/** What a filter is called on. */
export interface FilterCall {
  readonly context: Context;
}
type Filter = (this: FilterCall, value: unknown, ...rest: unknown[]) => unknown;

/** When a rendering happens, for templates that print dates. */
export interface RenderTime {
  /** What "now" is, Unix ms. */
  readonly nowMs: number;
  /** IANA name of the zone that dates are printed in. */
  readonly timezone: string;
}

class CountingContext extends Context {
  nowMs = 0;

  override readProperty(...args: Parameters<Context['readProperty']>): unknown {
    this.memoryLimit.use(1);
    return super.readProperty(...args);
  }
}

function charge(context: Context, value: unknown): void {
  if (typeof value === 'string' || Array.isArray(value)) context.memoryLimit.use(value.length);
}

type Operators = typeof defaultOperators;
type Binary = (left: unknown, right: unknown, context: Context) => boolean;

function countedOperators(): Operators {
  const counted = Object.entries(defaultOperators).map(([name, apply]) => {
    if (name === 'not') return [name, apply] as const;
    const binary: Binary = (left, right, context) => {
      context.memoryLimit.use(1);
      charge(context, left);
      charge(context, right);
      return (apply as Binary)(left, right, context);
    };
    return [name, binary] as const;
  });
  return Object.fromEntries(counted) as Operators;
}

function counted(name: string, apply: Filter): Filter {
  const perElement = COST_PER_ELEMENT[name] ?? 0;
  const perCall = COST_PER_CALL[name] ?? CALL_COST;
  const isDate = name.startsWith('date');
  return function call(value, ...rest) {
    const { context } = this;
    context.memoryLimit.use(perCall + (Array.isArray(value) ? perElement * value.length : 0));
    // The package would read the machine's clock.
    const isNow = isDate && (value === 'now' || value === 'today');
    const given = isNow ? new Date((context as CountingContext).nowMs) : value;
    return apply.call(this, given, ...rest);
  };
}

function lockedDown(): Liquid {
  const liquid = new Liquid({
    strictFilters: true,
    ownPropertyOnly: true,
    parseLimit: TEMPLATE_CHARS_MAX,
    memoryLimit: BUDGET_MAX,
    templates: {},
    relativeReference: false,
    timezoneOffset: 0,
    locale: 'en-US',
    operators: countedOperators(),
  });
  for (const tag of Object.keys(liquid.tags)) if (!TAGS.has(tag)) delete liquid.tags[tag];
  // The package's own throws at whole numbers beyond 2^53.
  liquid.registerFilter('json', (value: unknown) => writeJson(value ?? null));
  for (const name of DROPPED_FILTERS) delete liquid.filters[name];
  for (const [name, filter] of Object.entries(liquid.filters)) {
    if (typeof filter === 'function') {
      liquid.filters[name] = counted(name, filter as Filter) as typeof filter;
      continue;
    }
    const inner = (filter as unknown as { readonly handler: Filter }).handler;
    liquid.filters[name] = { ...filter, handler: counted(name, inner) } as typeof filter;
  }
  liquid.registerTag('abort', {
    parse: () => {},
    render: () => {
      throw new RenderRefusal('aborted', 'the template has reached its {% abort %}');
    },
  });
  return liquid;
}

export const liquid = lockedDown();

/** Adds the text up, and stops where it gets too long. */
class CappedEmitter {
  buffer = '';

  write(text: unknown): void {
    this.buffer += String(text ?? '');
    if (this.buffer.length <= OUTPUT_CHARS_MAX) return;
    throw new RenderRefusal(
      'render-failed',
      `the text has more than ${OUTPUT_CHARS_MAX} characters`,
    );
  }
}

const optionsByZone = new Map<string, typeof liquid.options>();

function optionsFor(timezone: string): typeof liquid.options {
  let options = optionsByZone.get(timezone);
  if (options === undefined) {
    options = { ...liquid.options, timezoneOffset: timezone as unknown as number };
    optionsByZone.set(timezone, options);
  }
  return options;
}

/** @throws RenderRefusal */
export function renderNodes(nodes: Template[], scope: object, time: RenderTime): string {
  let steps = 0;
  // Asked before every node; the package would compare the clock here.
  const renderLimit = {
    use: () => {},
    check: () => {
      if (++steps <= STEPS_MAX) return;
      throw new RenderRefusal('render-failed', `the template takes more than ${STEPS_MAX} steps`);
    },
  };
  const limits = { renderLimit, liquid } as unknown as ConstructorParameters<typeof Context>[3];
  const context = new CountingContext(scope, optionsFor(time.timezone), { sync: true }, limits);
  context.nowMs = time.nowMs;
  const emitter = new CappedEmitter();
  try {
    toValueSync(liquid.renderer.renderTemplates(nodes, context, emitter as never));
  } catch (error) {
    throw refusalOf(error);
  }
  return emitter.buffer;
}

function refusalOf(error: unknown): RenderRefusal {
  for (let one = error; one instanceof Error; ) {
    if (one instanceof RenderRefusal) return one;
    one = (one as { readonly originalError?: unknown }).originalError;
  }
  const message = error instanceof Error ? error.message.split('\n')[0]! : String(error);
  return new RenderRefusal('render-failed', message);
}
