/** What the processes of a run decided, by the place in the log at which they did. */
import type { Report } from '../../operators/report/decision.ts';

export class SimulatedReports {
  /** By partition and the envelope before; each process that read it has a list of its own. */
  readonly #partitions = new Map<number, Map<number, Map<string, string[]>>>();

  /** @param offset of the last envelope that was processed whole */
  add(process: string, partition: number, offset: number, report: Report): void {
    const offsets = entryOf(
      this.#partitions,
      partition,
      () => new Map<number, Map<string, string[]>>(),
    );
    const readers = entryOf(offsets, offset, () => new Map<string, string[]>());
    entryOf(readers, process, () => [] as string[]).push(textOf(report));
  }

  /** Each decision once; one that died within an envelope made some of them. */
  of(partition: number): { readonly texts: readonly string[]; readonly problems: string[] } {
    const texts: string[] = [];
    const problems: string[] = [];
    for (const [offset, readers] of this.#partitions.get(partition) ?? []) {
      const lists = [...readers.values()].sort((a, b) => b.length - a.length);
      const whole = lists[0]!;
      texts.push(...whole);
      for (const list of lists) {
        const at = list.findIndex((text, i) => text !== whole[i]);
        if (at === -1) continue;
        problems.push(
          `behind ${offset} of partition ${partition} one decides ${list[at]}, another ${whole[at]}`,
        );
      }
    }
    return { texts, problems };
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}

function textOf(report: Report): string {
  const { atMs, campaignId, userId, type } = report;
  const head = `${atMs} ${userId} ${campaignId} ${type}`;
  if (type === 'suppressed') return `${head} ${report.reason}`;
  if (type === 'deferred') return `${head} ${report.reason} ${report.untilMs}`;
  return type === 'converted' ? `${head} ${report.group} ${report.revenue}` : head;
}
