/** The alert rules and the dashboard that are handed out ask for metrics that there are. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { complaintsOfPromtool, isPromtoolMissing } from '../../../support/promtool.ts';

const docs = new URL('../../../../docs/', import.meta.url);
const RULES = fileURLToPath(new URL('monitoring/lapse-alerts.yaml', docs));
const RULES_TEST = fileURLToPath(new URL('monitoring/lapse-alerts.test.yaml', docs));

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

function textOf(name: string): string {
  return readFileSync(new URL(name, docs), 'utf8');
}

/** Another test holds that page and the metrics together. */
const documented = new Set(
  [...textOf('OPERATING.md').matchAll(/`(lapse_\w+)[`{]/g)].map(([, name]) => name!),
);
const dashboard = JSON.parse(textOf('monitoring/lapse-dashboard.json')) as Dashboard;
const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

function metricsIn(text: string): string[] {
  const names = [...text.matchAll(/\blapse_[a-z_]+/g)].map(([name]) => name!);
  return [...new Set(names.map((name) => name.replace(/_bucket$/, '')))];
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-monitoring-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('alert rules', () => {
  test('name metrics that there are', () => {
    const rules = textOf('monitoring/lapse-alerts.yaml');
    const names = metricsIn(rules.replace(/^.*(?:summary|description):.*$/gm, ''));
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !documented.has(name))).toEqual([]);
  });

  test.skipIf(isPromtoolMissing)('promtool reads them, and they fire when they should', () => {
    expect(complaintsOfPromtool(['check', 'rules', RULES])).toBe('');
    expect(complaintsOfPromtool(['test', 'rules', RULES_TEST])).toBe('');
  });
});

describe('dashboard', () => {
  test('names metrics that there are', () => {
    const names = metricsIn(expressions.join('\n'));
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !documented.has(name))).toEqual([]);
  });

  test('every panel has its place and a title of its own', () => {
    const titles = dashboard.panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  test.skipIf(isPromtoolMissing)('promtool reads every expression', () => {
    const rules = expressions.map((expr, i) => ({
      record: `dashboard:panel:${i}`,
      // What Grafana puts in.
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
    }));
    const path = join(folder, 'dashboard.yaml');
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(complaintsOfPromtool(['check', 'rules', path])).toBe('');
  });
});
