/** What the fuzz command and its thread say to each other. */

export interface FuzzOrder {
  readonly target: string;
  readonly seed: number;
  readonly count: number;
  /** An input that takes longer is a finding. */
  readonly slowMs: number;
  /** Memory of an `InputWindow`. */
  readonly window: SharedArrayBuffer;
}

export interface FuzzReport {
  inputs: number;
  accepted: number;
  refused: number;
  slowestMs: number;
  /** Spent in the decoder, without making the inputs. */
  feedMs: number;
  /** Held after the last input more than after the first fifth, garbage collected. */
  grownBytes: number;
  broken?: {
    readonly why: 'found' | 'slow' | 'hang' | 'grown';
    readonly input: Uint8Array;
    readonly said: string;
  };
}

export interface FuzzProgress {
  readonly kind: 'progress';
  readonly inputs: number;
}

export type FuzzMessage = FuzzProgress | { readonly kind: 'report'; readonly report: FuzzReport };
