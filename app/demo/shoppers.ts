import type { DemoRandom } from './demo-random.ts';

export interface Shopper {
  readonly userId: string;
  readonly traits: Readonly<Record<string, string | number | boolean>>;
}

const CITIES = [
  ['Berlin', 'DE'],
  ['Chicago', 'US'],
  ['Lagos', 'NG'],
  ['Lisbon', 'PT'],
  ['Mumbai', 'IN'],
  ['Osaka', 'JP'],
  ['Toronto', 'CA'],
] as const;
const PLANS = ['free', 'free', 'plus', 'gold'] as const;

/** Shoppers have numbers, not names: nobody is meant. */
export const SHOPPERS_MAX = 360;

export function shopperOf(index: number, random: DemoRandom): Shopper {
  const userId = `shopper-${String((index % SHOPPERS_MAX) + 1).padStart(3, '0')}`;
  const [city, country] = random.pick(CITIES);
  const plan = random.pick(PLANS);
  return { userId, traits: { email: `${userId}@shop.example`, city, country, plan } };
}
