/** What a number of a definition may be; its name ends in the unit. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly default: number;
}

export type Bounds = Pick<Range, 'min' | 'max'>;
