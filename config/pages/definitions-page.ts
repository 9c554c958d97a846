/** docs/DEFINITIONS.md, made of the JSON Schema of definitions and the table of settings. */
import { joinPath } from '../../engine/errors/wording.ts';
import { definitionsJsonSchema } from '../definitions/json-schema.ts';
import { RUNTIME_PATHS, runtimeSettings } from '../definitions/runtime-table.ts';

/** As much of JSON Schema as ours uses. */
interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

interface Root extends Schema {
  readonly $defs: Readonly<Record<string, Schema>>;
}

interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

const HEAD = `<!-- Made by \`node scripts/write-docs.mjs\` of the schema in config/definitions. Do not edit it here. -->
# Definitions

Definitions are YAML or JSON, split over any number of files. \`lapse validate PATH…\` checks
them, and unknown keys are errors. Editors complete and check as you type with
[config/lapse.schema.json](../config/lapse.schema.json); [config/examples](../config/examples) has
samples.

- **Durations** are a number and a unit: \`250ms\`, \`10s\`, \`10m\`, \`2h\`, \`3d\`, \`1h30m\`.
  **Instants** are ISO 8601 with a zone.
- **\`\${NAME}\`** stands for the environment variable NAME, \`$\${\` for a plain \`\${\`. Write
  secrets this way.
- Where a text is wanted, a number is the text as it is written: \`PromoCode: 0050\` is sent as
  \`0050\`. **Quote texts of digits in filters**: \`zip: "02142"\`. Without quotes it is the
  number 2142, and \`lapse validate\` warns.
- Merging with \`<<\` is not supported. Anchors and aliases are.
`;

/** Rules are long, so each kind of them has a table of its own. */
const OWN_TABLES = 'campaigns[].qualify.live';

export function definitionsPage(): string {
  const schema: Root = JSON.parse(JSON.stringify(definitionsJsonSchema()));
  const isSetting = (key: string) => RUNTIME_PATHS.some((path) => path.split('.')[0] === key);
  const keys = Object.keys(schema.properties!).filter((key) => key !== '$schema');
  const sections = keys
    .filter((key) => !isSetting(key))
    .map((key) => sectionOf(key, schema.properties![key]!));
  const event = schema.$defs.eventMatch!;
  return [
    HEAD,
    ...sections,
    `## An event\n\nWherever a rule names an event:\n\n${tableOf(rowsBelow(event, ''))}`,
    `## Settings of the process\n\n${SETTINGS_HEAD}\n${settingsTable(schema)}`,
  ].join('\n');
}

function sectionOf(key: string, schema: Schema): string {
  const isList = schema.items !== undefined;
  const path = isList ? `${key}[]` : key;
  const rows = rowsBelow(isList ? schema.items! : schema, path);
  const own = rows.filter((row) => row.path.startsWith(`${OWN_TABLES}.`));
  const kinds = own.filter(({ path: at }) => /^\w+$/.test(at.slice(OWN_TABLES.length + 1)));
  const kindSections = kinds.map((kind) => {
    const below = own.filter((row) => row.path.startsWith(`${kind.path}.`));
    return `### \`${kind.path}\`\n\n${kind.schema.description}\n\n${tableOf(below, `${kind.path}.`)}`;
  });
  const shared = rows.filter((row) => !own.includes(row));
  const text = `## \`${path}\`\n\n${schema.description}\n\n${tableOf(shared, `${path}.`)}`;
  return [text, ...kindSections].join('\n');
}

/** Every key below a schema, parents before children, in the order of the schema. */
function rowsBelow(schema: Schema, path: string): Row[] {
  if (schema.items !== undefined) return rowsBelow(schema.items, `${path}[]`);
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap((one) => rowsBelow(one, path));
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const at = joinPath(path, key);
    const isRequired = schema.required?.includes(key) === true;
    return [{ path: at, schema: child, isRequired }, ...rowsBelow(child, at)];
  });
}

function tableOf(rows: readonly Row[], prefix = ''): string {
  const lines = rows.map(({ path, schema, isRequired }) => {
    const key = path.startsWith(prefix) ? path.slice(prefix.length) : path;
    const value = isRequired ? '**required**' : defaultOf(schema);
    return rowOf(`\`${key}\``, formOf(schema), value, schema.description ?? '');
  });
  return `${rowOf('Key', 'Must be', 'Default', 'Meaning')}|---|---|---|---|\n${lines.join('')}`;
}

function rowOf(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

function defaultOf({ default: value }: Schema): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`[${value.join(', ')}]\``;
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length === 0 ? 'none' : `\`${JSON.stringify(value)}\``;
  }
  return `\`${String(value)}\``;
}

/** What may be written, in words. */
function formOf(schema: Schema): string {
  const { $ref, title, anyOf, items, properties, additionalProperties: others } = schema;
  if ($ref !== undefined) return REFERENCES[$ref] ?? $ref;
  if (title !== undefined) return title;
  if (anyOf !== undefined) return [...new Set(anyOf.map(formOf))].join(', or ');
  if (items !== undefined) return `a list${countOf(schema)}, each ${formOf(items)}`;
  if (properties === undefined && typeof others === 'object') {
    return `a mapping of names, each to ${formOf(others)}`;
  }
  if (properties !== undefined) return 'a mapping';
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ');
  return TYPES[String(schema.type)] ?? [schema.type ?? 'any value'].flat().join(' or ');
}

function countOf({ minItems, maxItems }: Schema): string {
  if (minItems !== undefined && maxItems !== undefined) return ` of ${minItems} to ${maxItems}`;
  if (minItems !== undefined) return ` of at least ${minItems}`;
  return maxItems === undefined ? '' : ` of at most ${maxItems}`;
}

const REFERENCES: Readonly<Record<string, string>> = {
  '#/$defs/where': '[conditions](FILTERS.md)',
  '#/$defs/eventMatch': '[an event](#an-event)',
};
const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  array: 'a list',
};

const SETTINGS_HEAD = `Lapse takes a setting from its flag, else from the environment, else from a file, else the
default. In a file it is a key of its own beside \`campaigns\` and \`webhooks\`: \`engine:
{workers: 2}\`. A \`LAPSE_…\` variable that nothing reads is an error.
`;

function settingsTable(root: Schema): string {
  const rows = RUNTIME_PATHS.map((path) => {
    const { environment, ...more } = runtimeSettings[path];
    const flag = 'flag' in more ? `\`--${more.flag}\`` : '';
    const keys = path.split('.');
    const schema = keys.reduce((node, key) => node.properties![key]!, root);
    return rowOf(
      `\`${path}\``,
      environment.map((name) => `\`${name}\``).join(', '),
      flag,
      formOf(schema),
      defaultOf(schema),
      schema.description ?? '',
    );
  });
  const head = rowOf('File', 'Environment', 'Flag', 'Must be', 'Default', 'Meaning');
  const others = [
    rowOf(
      '',
      '`LAPSE_URL`',
      '`--url`',
      'a URL',
      '`http://127.0.0.1:8080`',
      'Where commands find Lapse.',
    ),
    rowOf(
      '',
      '`LAPSE_LOG_LEVEL`',
      '',
      'trace, debug, info, warn, error, fatal or silent',
      '`info`',
      'From which level on the log is written.',
    ),
    rowOf(
      '',
      '`LAPSE_LOG_FORMAT`',
      '',
      'text or json',
      '`text` on a terminal, else `json`',
      'How the log is written.',
    ),
  ];
  return `${head}|---|---|---|---|---|---|\n${[...rows, ...others].join('')}`;
}
