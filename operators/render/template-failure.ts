/** Why a template gave no text; the reason of the delivery's outcome. */
export type RenderReason = 'aborted' | 'render-failed';

/** Thrown while a template is rendered. What it says never has a value of the user in it. */
export class RenderRefusal extends Error {
  readonly reason: RenderReason;

  constructor(reason: RenderReason, message: string) {
    super(message);
    this.name = 'RenderRefusal';
    this.reason = reason;
  }
}

/** Thrown for a template that cannot be used at all, when it is saved. */
export class TemplateProblem extends Error {
  /** From 1, within the template. */
  readonly line: number;
  /** From 1. */
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(message);
    this.name = 'TemplateProblem';
    this.line = line;
    this.column = column;
  }
}
