/** What the lock file asks of Node.js and of npm. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { admits, type Version } from './node-range.ts';

const root = new URL('../../', import.meta.url);

interface LockedPackage {
  readonly version?: string;
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
}

function json(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, root), 'utf8'));
}

const { packages } = json('package-lock.json') as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
/** What package.json promises. */
const FLOOR: Version = [20, 19, 0];
/** They bring builds of their native parts as packages; `installs.test.ts` runs without scripts. */
const WITH_PREBUILDS = ['node_modules/lmdb', 'node_modules/msgpackr-extract'];

describe('lock file', () => {
  test('every package admits the oldest Node.js that Lapse promises', () => {
    const { engines } = json('package.json') as LockedPackage;
    expect(engines?.node).toBe(`>=${FLOOR.slice(0, 2).join('.')}`);
    const refusing = Object.entries(packages)
      .filter(([, one]) => one.engines?.node !== undefined && !admits(one.engines.node, FLOOR))
      .map(([name, one]) => `${name} ${one.version} asks for Node.js ${one.engines?.node}`);
    expect(refusing).toEqual([]);
  });

  test('no package has an install script but those that do without it', () => {
    const scripted = Object.keys(packages).filter((name) => packages[name]!.hasInstallScript);
    expect(scripted.sort()).toEqual(WITH_PREBUILDS);
  });
});

describe('ranges of versions', () => {
  test.each([
    ['>=18', true],
    ['>= 22.x', false],
    ['>=22', false],
    ['20 || >=22', true],
    ['^18 || ^20.20', false],
    ['^20.19.0 || >=22.12.0', true],
    ['>=20.0.0 <23', true],
    ['>=14 <20', false],
    ['~20.19', true],
    ['~20.18.0', false],
    ['20.x', true],
    ['*', true],
    ['>20.19.0', false],
    ['<=20.19.0', true],
  ])('%s admits 20.19.0: %s', (range, isAdmitted) => {
    expect(admits(range, FLOOR)).toBe(isAdmitted);
  });
});
