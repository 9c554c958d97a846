import type { JsonRepairs } from '../../engine/json/parse-json.ts';

/** What was changed in events that went through, counted since the start. */
export interface Repairs extends JsonRepairs {
  /** Events whose `sentAt` could not be read, so that it corrected nothing. */
  sentAtIgnored: number;
}

export function noRepairs(): Repairs {
  return { surrogates: 0, numbersAsText: 0, sentAtIgnored: 0 };
}
