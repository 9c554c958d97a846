// Signals that come while modules are loaded, or a fresh clone is built. They must not be lost: the
// first process of a container has no default action for them, and waits to be killed. Commands
// that drain find the first one in `globalThis[Symbol.for('lapse.signals')]` (see Ending).
import { readFileSync } from 'node:fs';

const NUMBERS = { SIGTERM: 15, SIGINT: 2, SIGHUP: 1 };
const COMMANDS_THAT_DRAIN = new Set(['serve', 'receive']);

const command = process.argv.slice(2).find((one) => !one.startsWith('-'));
const drains = COMMANDS_THAT_DRAIN.has(command);
const signals = { first: undefined, isTaken: false, parents, parentsBefore: parents() };
globalThis[Symbol.for('lapse.signals')] = signals;

// Elsewhere the default action is right: a command that ends on its own has nothing to drain.
if (drains || process.pid === 1) {
  for (const [signal, number] of Object.entries(NUMBERS)) {
    process.on(signal, () => {
      if (signals.isTaken) return;
      if (!drains) process.exit(128 + number);
      signals.first ??= signal;
    });
  }
}

// The parent, which under npm is npm or its shell, and the shell's parent where that can be read.
// Each changes when one of them ends, as another process takes over its children.
function parents() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8');
    // The name may hold anything; behind its bracket come the state and the parent.
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(')')).split(' ')[2]}`;
  } catch {
    return `${process.ppid}`;
  }
}
