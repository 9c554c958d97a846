import type { Findings } from '../harness/report.ts';
import type { WindowFigures, WindowsOptions } from './windows-bench.ts';

const AIM = { bytes: 100, pauseMs: 5, restartS: 10 } as const;
const MIB = 2 ** 20;

export function windowFindings(options: WindowsOptions, figures: WindowFigures): Findings {
  const { bytes, checkpoint, naive, tables } = figures;
  const own = bytes.slab + bytes.index + bytes.strings;
  const each = 'bytes a window';
  const versus = (value: number) => ({ what: 'Map and setTimeout', value });
  return {
    measures: [
      {
        what: 'memory by the tables',
        value: own,
        unit: each,
        aim: { atMost: AIM.bytes },
        limit: versus(naive.bytes),
      },
      { what: '  slabs (columns, wheel links)', value: bytes.slab, unit: each },
      { what: '  index', value: bytes.index, unit: each },
      { what: '  key and kept properties', value: bytes.strings, unit: each },
      { what: 'de-duplication beside them', value: bytes.dedupe, unit: 'bytes an event' },
      { what: 'resident memory, all of it', value: bytes.resident, unit: each },
      {
        what: 'open, envelope to state',
        value: figures.openNs,
        unit: 'ns',
        limit: versus(naive.openNs),
      },
      {
        what: 'move, envelope to state',
        value: figures.moveNs,
        unit: 'ns',
        limit: versus(naive.moveNs),
      },
      {
        what: 'cancel, envelope to state',
        value: figures.cancelNs,
        unit: 'ns',
        limit: versus(naive.cancelNs),
      },
      { what: 'fire, to the encoded output', value: figures.fireNs, unit: 'ns' },
      { what: '  open in the tables alone', value: tables.openNs, unit: 'ns' },
      { what: '  move in the tables alone', value: tables.moveNs, unit: 'ns' },
      { what: '  fire in the tables alone', value: tables.fireNs, unit: 'ns' },
      { what: 'checkpoints', value: checkpoint.bytes / MIB, unit: 'MiB' },
      { what: 'checkpoints, under load', value: checkpoint.elapsedMs / 1000, unit: 's' },
      {
        what: 'longest turn meanwhile',
        value: checkpoint.turnMsMax,
        unit: 'ms',
        aim: { atMost: AIM.pauseMs },
      },
      {
        what: 'longest hold between turns',
        value: checkpoint.holdMsMax,
        unit: 'ms',
        aim: { atMost: AIM.pauseMs },
      },
      {
        what: 'restart from checkpoints',
        value: figures.restartMs / 1000,
        unit: 's',
        aim: { atMost: AIM.restartS },
      },
      { what: 'baseline: Map and setTimeout', value: naive.bytes, unit: each },
      { what: 'baseline: open', value: naive.openNs, unit: 'ns' },
      { what: 'baseline: move', value: naive.moveNs, unit: 'ns' },
      { what: 'baseline: cancel', value: naive.cancelNs, unit: 'ns' },
      { what: 'baseline: one full collection', value: naive.collectMs, unit: 'ms' },
    ],
    outputHash: figures.hash,
    notes: [
      `${options.windows} windows in ${options.partitions} partitions, all in one thread; ` +
        `${figures.fired} fired after the restart, which had every window of before.`,
      `The baseline holds ${options.naive} windows. ${checkpoint.records} records were processed ` +
        'while the checkpoints were written; the longest turn holds the copies of what they touch, ' +
        'the longest hold is what writing took from the thread at a time.',
      'Ids of 12 bytes; cart_id, sku, price and quantity are kept for the payload.',
    ],
  };
}
