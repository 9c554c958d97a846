/** What is wrong with definitions: every problem at once, each with its file and path. */
import { LapseError } from '../../engine/errors/errors.ts';
import { PROBLEMS_SHOWN_MAX } from '../limits.ts';

export interface DefinitionsProblem {
  /** As it was named to us; `-` when a value was given instead of a file. */
  readonly file: string;
  /** Of the key within the file, `campaigns[0].webhook`; empty for the file as a whole. */
  readonly path: string;
  /** A sentence that begins with the path. */
  readonly message: string;
  /** `ERR_DEFINITIONS`, `ERR_NOT_BUILT`, `ERR_FILTER`, … */
  readonly code: string;
}

/**
 * Thrown once for all that is wrong. Its message has a line for each problem:
 * `shop.yaml: campaigns[0].webhook must be …, got …`.
 */
export class DefinitionsError extends LapseError {
  readonly problems: readonly DefinitionsProblem[];

  constructor(problems: readonly DefinitionsProblem[]) {
    const lines = problems
      .slice(0, PROBLEMS_SHOWN_MAX)
      .map(({ file, message }) => `${file}: ${message}`);
    const hidden = problems.length - lines.length;
    if (hidden > 0) lines.push(`and ${hidden} more`);
    super('ERR_DEFINITIONS', lines.join('\n'), { domain: 'user', facts: { problems } });
    this.name = 'DefinitionsError';
    this.problems = problems;
  }
}
