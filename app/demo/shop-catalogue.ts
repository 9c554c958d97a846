/** What the demo's shop sells, and what its visitors look for. */
export interface Product {
  readonly sku: string;
  readonly product: string;
  readonly category: string;
  /** USD. */
  readonly price: number;
}

export const CATALOGUE: readonly Product[] = [
  { sku: 'K-101', product: 'Espresso machine', category: 'Kitchen', price: 249 },
  { sku: 'K-102', product: 'Burr grinder', category: 'Kitchen', price: 129.5 },
  { sku: 'K-103', product: 'Cast-iron pan', category: 'Kitchen', price: 54.9 },
  { sku: 'K-104', product: 'Chef’s knife', category: 'Kitchen', price: 79 },
  { sku: 'O-201', product: 'Trail boots', category: 'Outdoor', price: 139 },
  { sku: 'O-202', product: 'Rain jacket', category: 'Outdoor', price: 118 },
  { sku: 'O-203', product: 'Two-person tent', category: 'Outdoor', price: 289 },
  { sku: 'O-204', product: 'Head torch', category: 'Outdoor', price: 34.95 },
  { sku: 'H-301', product: 'Linen bedding', category: 'Home', price: 159 },
  { sku: 'H-302', product: 'Floor lamp', category: 'Home', price: 95 },
  { sku: 'H-303', product: 'Wool throw', category: 'Home', price: 68 },
  { sku: 'H-304', product: 'Candle set', category: 'Home', price: 22.5 },
  { sku: 'E-401', product: 'Noise-cancelling headphones', category: 'Electronics', price: 219 },
  { sku: 'E-402', product: 'Smart speaker', category: 'Electronics', price: 89 },
  { sku: 'E-403', product: 'E-reader', category: 'Electronics', price: 145 },
  { sku: 'E-404', product: 'Phone case', category: 'Electronics', price: 19.9 },
];

export const SEARCHES = ['coffee', 'tent', 'gift', 'boots', 'lamp', 'headphones', 'sale'] as const;
