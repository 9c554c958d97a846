/** Limits that the schemas of several rules, gates and segments share. */
import { DAY_MS, SECOND_MS } from '../../engine/time/duration.ts';
import type { Bounds } from './range.ts';

export const EVENT_NAME_CHARS_MAX = 1_000;
/** Of names of campaigns and segments, and of paths of properties. */
export const NAME_CHARS_MAX = 200;
/** How long a rule may look back or wait. */
export const WINDOW_MS: Bounds = { min: SECOND_MS, max: 182 * DAY_MS };
