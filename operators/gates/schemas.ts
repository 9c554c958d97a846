/** Every gate that can be written in a campaign, in the order of asking; a new one is a line. */
import type * as z from 'zod';
import type { Campaign, Settings } from '../definitions.ts';
import { capForm } from './cap/schema.ts';
import { controlForm } from './control/schema.ts';
import { delayForm } from './delay/schema.ts';
import { doneBeforeSendForm } from './done-before-send/schema.ts';
import type { GateForm, GateSpan, SettingsComplaint } from './gate-form.ts';
import { globalLimitForm } from './global-limit/schema.ts';
import { quietHoursForm } from './quiet-hours/schema.ts';
import { repeatForm } from './repeat/schema.ts';
import { runningForm } from './running/schema.ts';

const GATE_FORMS = [
  runningForm,
  controlForm,
  repeatForm,
  delayForm,
  quietHoursForm,
  doneBeforeSendForm,
  globalLimitForm,
  capForm,
] as const;

type Form = (typeof GATE_FORMS)[number];
type All<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? I
  : never;
type Shape = All<Form['shape']>;
type SettingsShape = All<Form['settings']['shape']>;

// Each form reads its own keys out of an input that has the keys of all.
const forms = GATE_FORMS as unknown as readonly GateForm[];

export const gateLimits = Object.fromEntries(forms.map(({ name, limits }) => [name, limits]));

/** Keys of a campaign that gates own. */
export const gateShape: Shape = Object.assign({}, ...forms.map(({ shape }) => shape));
/** Keys of `settings` that gates own. */
export const gateSettingsShape: SettingsShape = Object.assign(
  {},
  ...forms.map(({ settings }) => settings.shape),
);

export function gateFieldsOf(
  input: z.output<z.ZodObject<Shape>>,
): All<ReturnType<Form['fieldsOf']>> {
  return Object.assign({}, ...forms.map(({ fieldsOf }) => fieldsOf(input)));
}

/** @param base what holds where the input is silent */
export function gateSettingsOf(
  input: z.output<z.ZodObject<SettingsShape>>,
  base: Settings,
): Partial<Settings> {
  return Object.assign({}, ...forms.map(({ settings }) => settings.of(input, base)));
}

export function settingsComplaints(settings: Settings): readonly SettingsComplaint[] {
  return forms.flatMap((form) => form.settings.complaintOf?.(settings) ?? []);
}

/** What a campaign lets users wait, by gate. */
export function spansOfGates(campaign: Campaign): readonly GateSpan[] {
  return forms.flatMap(({ spanOf }) => spanOf?.(campaign) ?? []);
}
