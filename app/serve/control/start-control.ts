import { isDeepStrictEqual } from 'node:util';
import { externalError, type LapseError } from '../../../engine/errors/errors.ts';
import { type Definitions, NO_DEFINITIONS } from '../../../operators/definitions.ts';
import { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';

export interface StartControlOptions extends ControlPlaneOptions {
  /** From the files that are given at the start; empty without any. */
  readonly given: Definitions;
  readonly onWarning: (where: string, error: LapseError) => void;
}

/** Ids that a sentence names before it says only how many more there are. */
const IDS_SHOWN_MAX = 10;

/**
 * The definitions in force, with those given at the start over them. What is given holds as it is.
 * What is not mentioned goes on and is named in a warning: nothing is removed in silence.
 * @throws LapseError what the control plane throws
 */
export async function startControl(options: StartControlOptions): Promise<ControlPlane> {
  const { given, onWarning } = options;
  const control = await ControlPlane.open(options);
  if (isDeepStrictEqual(given, NO_DEFINITIONS)) {
    warnOfMissing(control, onWarning);
    return control;
  }
  await control.apply((base) => over(base, given), { origin: 'files' });
  const names = new Set(given.campaigns.map(({ id }) => id));
  const kept = [...control.lives].flatMap(([id, life]) =>
    names.has(id) || (life !== 'running' && life !== 'paused') ? [] : [id],
  );
  if (kept.length > 0) {
    const sentence =
      `Campaigns that the files do not define go on: ${listOf(kept)}. ` +
      'Stop one with `lapse stop ID`.';
    onWarning('definitions', externalError('ERR_DEFINITIONS_KEPT', sentence));
  }
  warnOfMissing(control, onWarning);
  return control;
}

function over(base: Definitions, given: Definitions): Definitions {
  return {
    settings: given.settings,
    webhooks: replaced(base.webhooks, given.webhooks),
    segments: replaced(base.segments, given.segments),
    campaigns: replaced(base.campaigns, given.campaigns),
  };
}

function replaced<T extends { readonly id: string }>(old: readonly T[], given: readonly T[]): T[] {
  return [...new Map([...old, ...given].map((one) => [one.id, one])).values()];
}

function warnOfMissing(
  { missing }: ControlPlane,
  onWarning: StartControlOptions['onWarning'],
): void {
  const ids = [...missing.webhooks, ...missing.campaigns];
  if (ids.length === 0) return;
  const sentence =
    `These are defined, but neither the files nor the data folder say what they send: ` +
    `${listOf(ids)}. Their deliveries wait; give their definitions with --config.`;
  onWarning('definitions', externalError('ERR_REQUEST_PARTS_MISSING', sentence));
}

function listOf(ids: readonly string[]): string {
  const shown = ids.slice(0, IDS_SHOWN_MAX).join(', ');
  return ids.length > IDS_SHOWN_MAX ? `${shown} and ${ids.length - IDS_SHOWN_MAX} more` : shown;
}
