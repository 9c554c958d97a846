import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OUTPUT_CHARS_MAX } from '../../../operators/render/liquid.ts';
import { isOverUser } from '../../../operators/render/over-user.ts';
import {
  compileTemplate,
  type TemplateRules,
  type TemplateScope,
} from '../../../operators/render/template.ts';
import { bodyProblem, templateProblem } from '../../../operators/render/template-check.ts';
import { RenderRefusal } from '../../../operators/render/template-failure.ts';

const TIME = { nowMs: Date.parse('2026-01-05T23:30:00Z'), timezone: 'UTC' };

function scopeOf(Profile: Record<string, unknown>, Event = {}): TemplateScope {
  return { Profile, Event, Campaign: { name: 'c' }, KeyValues: { k: 'v' } };
}

function render(text: string, values: Record<string, unknown>, rules: Partial<TemplateRules> = {}) {
  return compileTemplate(text, { kind: 'text', ...rules }).render(scopeOf(values), TIME);
}

function refusalOf(text: string, values: Record<string, unknown>, rules = {}): RenderRefusal {
  try {
    render(text, values, rules);
  } catch (error) {
    expect(error).toBeInstanceOf(RenderRefusal);
    return error as RenderRefusal;
  }
  return expect.unreachable() as never;
}

/** Bodies in which `Profile.v` stands in every kind of place. */
const BODIES = [
  '{"a":"{{ Profile.v }}","b":{{ Profile.v }},"c":"x {{ Profile.v | default: "d" }} y"}',
  '{"a":[{% for i in Profile.l %}{{ i }}{% unless forloop.last %},{% endunless %}{% endfor %}]}',
  '{% capture c %}x{{ Profile.v }}y{% endcapture %}{"a":"{{ c }}","b":{{ c }}}',
  '{"a":{{ Profile.v | json }},"s":"{{ Profile.v | json }}","u":"{{ Profile.v | upcase }}"}',
  '{% if Profile.v %}{"a":"{{ Profile.v }}"}{% else %}{"n":null}{% endif %}',
  '{"\\"k":"a\\\\{{ Profile.v }}"}',
  '{% assign z = Profile.v | append: "\\"" %}{"z":"{{ z }}"}',
  '{ {{ Profile.t }}: {"t":{{ Profile.v }} } }',
  '{"a":"{{ Profile.v | default: \\"d\\" }}"}',
];
const HOSTILE = [
  ...['"', '\\', '\\"', '\n\t\u0000', '\u2028\u2029', '{{ x }}', '{% abort %}', '</script>'],
  ...['\ud800', 'é😀', '', '"},{"admin":true', '", "admin": true, "x": "', 0, -0, 1e21, true],
  ...[null, undefined, [], ['"'], { a: '"' }, { toJSON: 'x' }, 2n ** 64n - 1n],
  JSON.parse('{"__proto__":{"a":1},"constructor":"x"}') as unknown,
];

describe('JSON bodies', () => {
  test.each(BODIES)('%s: parses, whatever the values', (body) => {
    for (const v of HOSTILE) {
      const text = render(body, { v, l: [v, v], t: String(v) }, { kind: 'json' });
      expect(() => JSON.parse(text), `${String(v)} gives ${text}`).not.toThrow();
    }
  });

  test('parse for any JSON values, and a value stays the value of its key', () => {
    fc.assert(
      fc.property(fc.constantFrom(...BODIES), fc.jsonValue(), fc.string(), (body, v, t) => {
        JSON.parse(render(body, { v, l: [v, t], t }, { kind: 'json' }));
        const text = render(
          '{"s":"{{ Profile.t }}","v":{{ Profile.v }}}',
          { t, v },
          { kind: 'json' },
        );
        expect(Object.keys(JSON.parse(text) as object)).toEqual(['s', 'v']);
        expect((JSON.parse(text) as { s: string }).s).toBe(t);
      }),
    );
  });

  test.each([
    ['{"a":"{{ Profile.v }}', 'not closed', 1, 7],
    ['{% if Profile.v %}{"a":"{% else %}{"a":{% endif %}x"}', 'in one branch', 1, 1],
    ['{"a":"x\\{{ Profile.v }}"}', 'backslash', 1, 1],
    ['{"a":[{% for i in Profile.l %}"{% break %}"{% endfor %}]}', 'quote is open at', 1, 32],
    ['{"a":{{ Profile.v }}', 'not JSON', 1, 1],
  ])('%s: is refused when it is saved, with line and column', (body, message, line, column) => {
    const problem = bodyProblem(body, 'json');
    expect(problem?.message).toContain(message);
    expect([problem?.line, problem?.column]).toEqual([line, column]);
  });

  test('a body that is JSON for nobody but users who have values is taken', () => {
    expect(bodyProblem('{% if Profile.v %}{"a":1}{% endif %}', 'json')).toBeUndefined();
  });
});

describe('templates', () => {
  test.each([
    ['a\n {{ Profile.v | nope }}', 'nope', 2, 2],
    ['{% include "x" %}', 'include', 1, 1],
    ['{% render "x" %}', 'render', 1, 1],
    ['{% layout "x" %}', 'layout', 1, 1],
    ['{{ Evnt.x }}', 'Evnt', 1, 4],
    ['{{ constructor.x }}', 'constructor', 1, 4],
    ['{{ process.env }}', 'process', 1, 4],
    ['{{ Profile.v | where_exp: "a", "b" }}', 'where_exp', 1, 1],
    ['{% if Profile.v %}x', 'if', 1, 1],
  ])('%s: is refused when it is saved, with line and column', (text, name, line, column) => {
    const problem = templateProblem(text, { kind: 'text' });
    expect(problem?.message).toContain(name);
    expect([problem?.line, problem?.column]).toEqual([line, column]);
  });

  test.each([
    ['{{ Profile.v | default: "you" }}', {}, 'you'],
    ['{{ Profile.v }}', { v: '{{ Profile.w }}', w: 'x' }, '{{ Profile.w }}'],
    ['{{ Profile.v }}', { v: { a: [1] } }, '{"a":[1]}'],
    ['{{ Campaign.name }} {{ KeyValues.k }}', {}, 'c v'],
    ['{{ Profile["a b"] }}', { 'a b': 1 }, '1'],
    ['{{ "now" | date: "%Y-%m-%d %H:%M" }}', {}, '2026-01-05 23:30'],
  ])('%s of %j: is %s', (text, values, wanted) => {
    expect(render(text, values)).toBe(wanted);
  });

  test('dates are those of the zone they are rendered for', () => {
    const template = compileTemplate('{{ "now" | date: "%d %H:%M" }}', { kind: 'text' });
    const time = { ...TIME, timezone: 'Asia/Kolkata' };
    expect(template.render(scopeOf({}), time)).toBe('06 05:00');
  });

  test.each([
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    'v.constructor.name',
    'l.map',
  ])('Profile.%s: gives nothing, for it is no attribute', (path) => {
    expect(render(`[{{ Profile.${path} }}]`, { v: 'x', l: [1] })).toBe('[]');
  });

  test('abort ends the rendering with its own reason', () => {
    expect(refusalOf('{% if Profile.v %}{% abort %}{% endif %}', { v: 1 }).reason).toBe('aborted');
  });

  test.each([
    ['{{ Profile.v }}', {}],
    ['{{ Profile.v }}', { v: null }],
    ['{{ Profile.v | upcase }}', {}],
    ['{% assign q = Profile.v %}{{ q }}', {}],
    ['{% capture q %}{{ Profile.v }}{% endcapture %}{{ q }}', {}],
  ])('%s of %j: is refused where a missing value fails, and blank elsewhere', (text, values) => {
    expect(refusalOf(text, values, { onMissing: 'fail' }).reason).toBe('render-failed');
    expect(render(text, values)).toBe('');
  });

  test.each([
    ['{{ Profile.v | upcase | default: "y" }}', {}, 'y'],
    ['{{ Profile.v | default: "" }}', {}, ''],
    ['{{ Profile.v }}', { v: '' }, ''],
    ['{{ Profile.v }}', { v: false }, 'false'],
    ['{% if Profile.v %}x{% endif %}', {}, ''],
  ])('%s of %j: is %s where a missing value fails', (text, values, wanted) => {
    expect(render(text, values, { onMissing: 'fail' })).toBe(wanted);
  });

  test.each([
    '{% for i in (1..90000) %}{% endfor %}',
    '{% for a in (1..100) %}{% for b in (1..100) %}x{% endfor %}{% endfor %}',
    '{{ (1..90000) | where: "a", 1 | size }}',
    '{% for i in (1..300) %}{% assign q = Profile.many | sort %}{% endfor %}',
    `{% if ${"Profile.big contains 'aaab' or ".repeat(400)}false %}x{% endif %}`,
    '{% capture s %}xxxxxxxxxx{% endcapture %}{% for i in (1..40) %}' +
      '{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}{{ s }}',
    '{% for i in (1..4000) %}{{ "2026-01-05" | date: "%Y" }}{% endfor %}',
    `{% for i in (1..2400) %}{{ Profile${'.a'.repeat(7_000)} }}{% endfor %}`,
  ])('%.60s: ends at a counted limit', (text) => {
    const many = Array.from({ length: 2_500 }, (_, i) => `x${i}`);
    const values = { many, big: 'a'.repeat(32_000) };
    expect(refusalOf(text, values).reason).toBe('render-failed');
  });

  test('a text longer than the limit ends the rendering', () => {
    const text = '{% for i in (1..20) %}{{ Profile.big }}{% endfor %}';
    const big = 'a'.repeat(OUTPUT_CHARS_MAX / 10);
    expect(refusalOf(text, { big }).message).toContain(String(OUTPUT_CHARS_MAX));
  });

  test('a rendering takes nothing from the one before', () => {
    const text = '{% assign q = Profile.v %}{{ q }}{% assign r = "left" %}';
    expect(render(text, { v: 'a' })).toBe('a');
    expect(render('{% assign q = Profile.v %}{{ q }}', {}, { onMissing: 'blank' })).toBe('');
  });
});

test.each([
  [{ mode: 'custom' } as const, true],
  [{ mode: 'variables', query: { a: '{{ Campaign.name }}' } } as const, false],
  [{ mode: 'variables', query: { a: '{{ Profile.x }}' } } as const, true],
  [{ mode: 'variables', headers: { a: '{{ Event.x }}' } } as const, true],
  [{ mode: 'variables', keyValues: { a: '{% if Profile.x %}y{% endif %}' } } as const, true],
  [{ mode: 'variables', keyValues: { a: '{{' } } as const, true],
  [{ mode: 'variables' } as const, false],
])('%j: shares no request when it is over the user (%s)', (content, wanted) => {
  expect(isOverUser(content)).toBe(wanted);
});

test('a webhook with a template over the user shares no request', () => {
  const webhook = { url: 'https://h.test/{{ Profile.x }}', headers: {} };
  expect(isOverUser({ mode: 'variables' }, webhook)).toBe(true);
});
