/**
 * The shape of every fuzz target. A new decoder gets one file in `targets/`, one line in
 * `targets.ts` and a folder of hand-made inputs in `corpus/`; the rest is here already.
 */

/** How inputs are mutated by structure; bytes are mutated whatever the format is. */
export type Format = 'json' | 'msgpack' | 'yaml' | 'bytes';

export type Outcome = 'accepted' | 'refused';

export interface FuzzRunner {
  /**
   * Feeds one input to the decoder and judges what comes out.
   * @returns `refused` when the decoder said no in its documented way
   * @throws LapseError counted as refused; anything else is a finding
   */
  run(input: Uint8Array): Outcome | Promise<Outcome>;
  close?(): Promise<void> | void;
}

export interface FuzzTarget {
  /** Also the name of its folder in `corpus/`. */
  readonly name: string;
  readonly format: Format;
  /** Valid inputs to start from, beside the corpus. */
  readonly seeds: () => readonly (string | Uint8Array)[];
  /** Texts that mean something to the decoder: keys, keywords, headers. */
  readonly words?: readonly string[];
  /** Inputs relative to other targets, for one whose inputs cost much. @default 1 */
  readonly share?: number;
  readonly open: () => FuzzRunner | Promise<FuzzRunner>;
}

/** A broken promise of the decoder, found by a target's own check. */
export class Finding extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Finding';
  }
}

export function demand(holds: boolean, sentence: () => string): asserts holds {
  if (!holds) throw new Finding(sentence());
}

/**
 * For contents that only Lapse itself writes, forged with a right checksum: they are not checked to
 * their last field, and a partition that meets a wrong one stops and says why.
 */
export function stopsOrRuns(run: () => void): Outcome {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (error instanceof Finding || !(error instanceof Error)) throw error;
    return 'refused';
  }
}

const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const OWN_KEYS = PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).length);

/** Nothing that was decoded may have changed what every object inherits. */
export function demandUnpolluted(): void {
  for (let i = 0; i < PROTOTYPES.length; i++) {
    const count = Reflect.ownKeys(PROTOTYPES[i]!).length;
    demand(count === OWN_KEYS[i], () => 'A built-in prototype has got another property.');
  }
  demand(Object.getPrototypeOf(Object.prototype) === null, () => 'Object has got a prototype.');
}
