import type * as z from 'zod';
import type { Campaign, Settings } from '../definitions.ts';
import type { Range } from '../schema/range.ts';

/** A time that a gate lets a user wait, and under which key of the campaign it is written. */
export interface GateSpan {
  readonly key: string;
  readonly ms: number;
}

export interface SettingsComplaint {
  /** Below `settings`. */
  readonly path: string;
  /** Continues the path: `must be …, got …`. */
  readonly rest: string;
}

/** What a gate adds to the account's settings. */
export interface SettingsForm<S extends z.ZodRawShape = z.ZodRawShape> {
  /** Keys of `settings`, each optional: files may share them. */
  readonly shape: S;
  /** @param base what holds where the input is silent */
  readonly of: (input: z.output<z.ZodObject<S>>, base: Settings) => Partial<Settings>;
  /** What is wrong with the settings of all files together. Absent: nothing can be. */
  readonly complaintOf?: (settings: Settings) => SettingsComplaint | undefined;
}

/** What the definitions need to know of a gate; each gate exports one. */
export interface GateForm<
  S extends z.ZodRawShape = z.ZodRawShape,
  F extends Partial<Campaign> = Partial<Campaign>,
  T extends z.ZodRawShape = z.ZodRawShape,
> {
  readonly name: string;
  readonly limits: Readonly<Record<string, Range>>;
  /** Keys of a campaign. */
  readonly shape: S;
  readonly fieldsOf: (input: z.output<z.ZodObject<S>>) => F;
  readonly settings: SettingsForm<T>;
  /** Absent: the gate waits for nothing. */
  readonly spanOf?: (campaign: Campaign) => GateSpan;
}

export const NO_SETTINGS = { shape: {}, of: () => ({}) } as const;

/** Keeps the types of a form, of which lists are made. */
export function gateForm<
  S extends z.ZodRawShape,
  F extends Partial<Campaign>,
  T extends z.ZodRawShape,
>(form: GateForm<S, F, T>): GateForm<S, F, T> {
  return form;
}
