import { corrupt, StoredRow } from '../stored-row.ts';
import type { Delivery } from './delivery.ts';
import { flagColumn, outcomeFlags } from './outcome-flags.ts';
import { packVersioned, unpackVersioned } from './packing.ts';

export const DELIVERIES_VERSION = 1;
export const DELIVERIES_WHAT = 'An envelope of deliveries';

/**
 * `[campaign ids, base, then one array a field]`; times are relative (qualified to the base, due
 * to qualified, expiry to due), so that they take 1–5 bytes instead of 9.
 */
type Columns = readonly [
  campaignIds: readonly string[],
  baseAtMs: number,
  ids: readonly string[],
  campaigns: readonly number[],
  userIds: readonly string[],
  qualified: readonly number[],
  due: readonly number[],
  expires: readonly number[],
  bodies: readonly string[],
  /** Absent or null: no delivery asks for its outcome, and no user is anonymous. */
  flags?: readonly number[] | null,
];

/** Numbers, lengths and the id of a delivery beside its texts. */
const DELIVERY_BYTES = 64;

/** About how many bytes a delivery takes: its characters, of which most are of one byte. */
export function deliveryBytes({ userId, body }: Delivery): number {
  return DELIVERY_BYTES + userId.length + body.length;
}

/** One envelope for `out.<webhook>`, in the order given. The caller owns the bytes. */
export function encodeDeliveries(deliveries: readonly Delivery[]): Uint8Array {
  const campaigns = new Map<string, number>();
  for (const { campaignId } of deliveries) {
    if (!campaigns.has(campaignId)) campaigns.set(campaignId, campaigns.size);
  }
  const baseAtMs = deliveries[0]?.qualifiedAtMs ?? 0;
  const columns: Columns = [
    [...campaigns.keys()],
    baseAtMs,
    deliveries.map((delivery) => delivery.id),
    deliveries.map((delivery) => campaigns.get(delivery.campaignId)!),
    deliveries.map((delivery) => delivery.userId),
    deliveries.map((delivery) => delivery.qualifiedAtMs - baseAtMs),
    deliveries.map((delivery) => delivery.dueAtMs - delivery.qualifiedAtMs),
    deliveries.map((delivery) => delivery.expiresAtMs - delivery.dueAtMs),
    deliveries.map((delivery) => delivery.body),
  ];
  const flags = flagColumn(deliveries);
  return packVersioned(DELIVERIES_VERSION, flags === null ? columns : [...columns, flags]);
}

/** @throws LapseError `ERR_ENVELOPE_VERSION`, `ERR_ENVELOPE_CORRUPT` */
export function decodeDeliveries(bytes: Uint8Array): Delivery[] {
  const row = new StoredRow(
    DELIVERIES_WHAT,
    unpackVersioned(DELIVERIES_VERSION, DELIVERIES_WHAT, bytes),
  );
  const campaignIds = row.texts();
  const baseAtMs = row.number();
  const ids = row.texts();
  const campaigns = row.wholes();
  const userIds = row.texts();
  const qualified = row.numbers();
  const due = row.numbers();
  const expires = row.numbers();
  const bodies = row.texts();
  const flags = row.columnIfAny();
  for (const column of [campaigns, userIds, qualified, due, expires, bodies, flags ?? ids]) {
    if (column.length !== ids.length)
      throw corrupt(DELIVERIES_WHAT, 'its columns are not of one length');
  }
  return ids.map((id, i) => {
    const campaignId = campaignIds[campaigns[i]!];
    if (campaignId === undefined)
      throw corrupt(DELIVERIES_WHAT, `the campaign of delivery ${i} is unknown`);
    const qualifiedAtMs = baseAtMs + qualified[i]!;
    const dueAtMs = qualifiedAtMs + due[i]!;
    const expiresAtMs = dueAtMs + expires[i]!;
    const texts = { id, campaignId, userId: userIds[i]!, body: bodies[i]! };
    return { ...texts, qualifiedAtMs, dueAtMs, expiresAtMs, ...outcomeFlags(flags?.[i]) };
  });
}
