import type { Audience, Segment } from '../definitions.ts';
import { compileFilter, type FilterContext } from '../filters/compile.ts';

/** Says whether a user belongs to an audience, by the profile at that position of the log. */
export type CompiledAudience = (profile: FilterContext) => boolean;

/**
 * Segments by id, compiled when first asked for. A user is in an audience who meets its `where`,
 * is in every included segment and in none of the excluded ones (SPEC 2.3).
 */
export class Segments {
  readonly #segments = new Map<string, Segment>();
  readonly #compiled = new Map<string, CompiledAudience>();

  constructor(segments: readonly Segment[]) {
    for (const segment of segments) this.#segments.set(segment.id, segment);
  }

  compile(audience: Audience): CompiledAudience {
    const tests: CompiledAudience[] = [];
    if (audience.where !== undefined) tests.push(compileFilter(audience.where));
    for (const id of audience.include) tests.push(this.#segment(id));
    for (const id of audience.exclude) {
      const test = this.#segment(id);
      tests.push((profile) => !test(profile));
    }
    return (profile) => {
      for (let i = 0; i < tests.length; i++) if (!tests[i]!(profile)) return false;
      return true;
    };
  }

  #segment(id: string): CompiledAudience {
    let compiled = this.#compiled.get(id);
    if (compiled === undefined) {
      const segment = this.#segments.get(id);
      // Definitions that name a missing segment, or a cycle, are refused when they are saved.
      compiled = segment === undefined ? () => false : this.compile(segment.audience);
      this.#compiled.set(id, compiled);
    }
    return compiled;
  }
}
