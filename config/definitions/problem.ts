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
  /** Where the file says it, from 1; absent when no part of it does. */
  readonly line?: number;
}

/** A problem as programs read it. */
export interface ProblemParts extends Omit<DefinitionsProblem, 'line'> {
  readonly line: number | null;
  /** What is required: the sentence between "must" and ", got". */
  readonly must: string;
  /** What the file has instead; empty when the sentence does not say. */
  readonly got: string;
}

/** Takes the sentence `<path> must <requirement>, got <value>` apart. */
export function partsOf(problem: DefinitionsProblem): ProblemParts {
  const { file, path, message, code, line = null } = problem;
  const sentence = message.startsWith(path) ? message.slice(path.length) : message;
  const parts = /\bmust (.*?)(?:, got (.*))?$/s.exec(sentence);
  const [must, got] = [parts?.[1] ?? sentence.trim(), parts?.[2] ?? ''];
  return { file, line, path, must, got, code, message };
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
