#!/usr/bin/env node
// Finds NATS servers for the tests, and fetches them from the machine's own package sources when
// it runs Debian: no root and no other download is needed. Run it to see what it finds.
//
// Order: NATS_SERVER, the PATH, then two packages, unpacked under .cache/nats/: the one of the
// suite that is installed here (the oldest server that Lapse supports) and a recent one.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(root, '.cache', 'nats');
/** A Debian suite with a server of the 2.1x line. */
const RECENT_SUITE = 'forky';
const FETCH_TIMEOUT_MS = 240_000;
/** A failed fetch is not tried again for this long: each try costs the tests many seconds. */
const RETRY_AFTER_MS = 600_000;

/**
 * @typedef {{ path: string, version: string }} NatsServer
 * @returns {Promise<NatsServer[]>} one of each version, oldest first; empty when there is none
 */
export async function findNatsServers() {
  const found = [];
  const named = process.env.NATS_SERVER;
  if (named) found.push(await identify(named));
  else {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, 'nats-server');
      if (folder !== '' && existsSync(path)) found.push(await identify(path));
    }
    if (process.platform === 'linux' && existsSync('/usr/bin/apt-get')) {
      await mkdir(cache, { recursive: true });
      await withLock(async () => {
        found.push(await fetched('installed', undefined));
        found.push(await fetched('recent', RECENT_SUITE));
      });
    }
  }
  const byVersion = new Map();
  for (const server of found) {
    if (server !== undefined && !byVersion.has(server.version)) {
      byVersion.set(server.version, server);
    }
  }
  return [...byVersion.values()].sort((a, b) =>
    a.version.localeCompare(b.version, 'en', { numeric: true }),
  );
}

async function identify(path) {
  try {
    const { stdout } = await run(path, ['--version']);
    const version = /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    return version === undefined ? undefined : { path, version };
  } catch {
    return undefined;
  }
}

/** The server kept under `name`, fetched when it is not there yet. */
async function fetched(name, suite) {
  const home = join(cache, name);
  const path = join(home, 'usr', 'sbin', 'nats-server');
  if (existsSync(path)) return identify(path);
  const failed = join(cache, `${name}.failed`);
  const failedAtMs = (await stat(failed).catch(() => undefined))?.mtimeMs ?? 0;
  if (Date.now() - failedAtMs < RETRY_AFTER_MS) return undefined;
  const work = join(cache, `${name}.work`);
  try {
    await rm(work, { recursive: true, force: true });
    await fetchPackage(work, suite);
    const unpacked = join(work, 'unpacked');
    if ((await identify(join(unpacked, 'usr', 'sbin', 'nats-server'))) === undefined) {
      throw new Error('the package holds no server that runs here');
    }
    await rename(unpacked, home);
    return await identify(path);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    await writeFile(failed, text);
    process.stderr.write(`No ${name} NATS server could be fetched: ${text.split('\n')[0]}\n`);
    return undefined;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchPackage(work, suite) {
  const lists = join(work, 'sources.list.d');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'sources.list.d', 'unpacked']) {
    await mkdir(join(work, folder), { recursive: true });
  }
  const options = [
    ...['-o', `Dir::State=${work}`, '-o', `Dir::State::lists=${join(work, 'lists')}`],
    ...['-o', `Dir::Cache=${join(work, 'cache')}`, '-o', 'Debug::NoLocking=1'],
    ...['-o', 'Dir::State::status=/var/lib/dpkg/status'],
    // As root apt would otherwise read and write as a user who may not see this folder.
    ...(process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []),
  ];
  if (suite !== undefined) {
    await writeSources(lists, suite);
    options.push('-o', `Dir::Etc::sourceparts=${lists}`, '-o', 'Dir::Etc::sourcelist=/dev/null');
  }
  const inWork = { cwd: work, timeout: FETCH_TIMEOUT_MS };
  await run('apt-get', [...options, 'update'], inWork);
  await run('apt-get', [...options, 'download', 'nats-server'], inWork);
  const deb = (await readdir(work)).find((file) => file.endsWith('.deb'));
  if (deb === undefined) throw new Error('apt-get downloaded nothing');
  await run('dpkg', ['-x', join(work, deb), join(work, 'unpacked')], inWork);
}

/** The machine's own sources of Debian itself, with another suite in the place of its own. */
async function writeSources(lists, suite) {
  const parts = '/etc/apt/sources.list.d';
  const names = existsSync(parts) ? await readdir(parts) : [];
  const paths = ['/etc/apt/sources.list', ...names.map((name) => join(parts, name))];
  const lines = new Set();
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const text = await readFile(path, 'utf8');
    if (path.endsWith('.sources')) for (const line of fromDeb822(text, suite)) lines.add(line);
    else if (path.endsWith('.list')) for (const line of fromList(text, suite)) lines.add(line);
  }
  if (lines.size === 0) throw new Error('no package source of Debian is configured');
  await writeFile(join(lists, 'recent.list'), `${[...lines].join('\n')}\n`);
}

function fromDeb822(text, suite) {
  const lines = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name) => new RegExp(`^${name}:[ \\t]*(.+)$`, 'im').exec(stanza)?.[1]?.trim();
    if (!/\bdeb\b/.test(field('Types') ?? '') || field('Enabled') === 'no') continue;
    const suites = (field('Suites') ?? '').split(/\s+/);
    const keys = field('Signed-By');
    const signed = keys?.startsWith('/') ? `[signed-by=${keys}] ` : '';
    for (const uri of (field('URIs') ?? '').split(/\s+/)) {
      if (isDebianItself(uri, suites)) lines.push(`deb ${signed}${plainPath(uri)} ${suite} main`);
    }
  }
  return lines;
}

function fromList(text, suite) {
  const lines = [];
  for (const line of text.split('\n')) {
    const [, options = '', uri, name] =
      /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+/.exec(line) ?? [];
    if (uri !== undefined && isDebianItself(uri, [name])) {
      lines.push(`deb ${options}${plainPath(uri)} ${suite} main`);
    }
  }
  return lines;
}

/** Not its security or update suites, nor somebody else's packages. */
function isDebianItself(uri, suites) {
  return /\/debian(\/|$)/.test(uri) && suites.some((name) => /^[a-z]+$/.test(name));
}

/** A snapshot of the archive may be older than the suite; the archive itself lies beside it. */
function plainPath(uri) {
  return uri.replace(/\/archive\/debian\/\d{8}T\d{6}Z\/?$/, '/debian');
}

/** Lets one process at a time fetch; the others wait and then find what it fetched. */
async function withLock(work) {
  const lock = join(cache, 'lock');
  const givenUpAtMs = Date.now() + 2 * FETCH_TIMEOUT_MS;
  for (;;) {
    try {
      await writeFile(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = Number(await readFile(lock, 'utf8').catch(() => ''));
      if (Date.now() > givenUpAtMs || (holder > 0 && !isAlive(holder))) {
        await rm(lock, { force: true });
      } else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    await work();
  } finally {
    await rm(lock, { force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const servers = await findNatsServers();
  for (const { path, version } of servers) console.log(`${version}\t${path}`);
  if (servers.length === 0) {
    console.error('No NATS server: install nats-server, or set NATS_SERVER to its path.');
    process.exit(1);
  }
}
