/**
 * Sizes at which the code does something else: more shapes of properties than one byte numbers, and
 * events of exactly as many bytes as one may have. Drawn from a stream of its own, so that what the
 * other draws mean for a seed does not change.
 */
import { intakeLimits } from '../../config/limits.ts';
import type { Prng } from '../support/prng.ts';
import type { Coverage } from './coverage.ts';
import { NAMES } from './draw-campaigns.ts';
import { wireEvent } from './wire.ts';
import type { PlannedEvent, Workload } from './workload.ts';

const SHAPES_SHARE = 0.04;
const LARGEST_SHARE = 0.04;
/** Of 300 shapes some come into every partition beyond the 254th. */
const SHAPES = 300;
const SHAPE_USERS = 20;
/** Of the requests of a run; all of them would be megabytes. */
const LARGEST_REQUESTS = 0.3;

export function withSizes(prng: Prng, workload: Workload, coverage: Coverage): Workload {
  if (prng.chance(SHAPES_SHARE)) return withShapes(prng, workload, coverage);
  if (prng.chance(LARGEST_SHARE)) return withLargest(prng, workload, coverage);
  return workload;
}

/** More users, who open windows with a property each that no other event has. */
function withShapes(prng: Prng, workload: Workload, coverage: Coverage): Workload {
  const rules = workload.versions[0]!.plan.campaigns.map(({ rule }) => rule);
  const opening = rules.find((rule) => 'inaction' in rule);
  const name = opening?.inaction.did.event ?? prng.pick(NAMES)[0]!;
  const more = Array.from({ length: SHAPES }, (_, i): PlannedEvent[] => {
    const id = `shape${i}`;
    const facts = { id, price: prng.below(100), cart: i % 7, plan: 'pro', [`only${i}`]: i };
    const atMs = 200 + prng.below(workload.endMs);
    const user = { user: `shaper${i % SHAPE_USERS}`, isAnonymous: false };
    return [{ atMs, type: 'track', ...user, name, messageId: id, facts }];
  });
  coverage.met('more shapes of properties than a byte numbers');
  const requests = [...workload.requests, ...more].sort((a, b) => a[0]!.atMs - b[0]!.atMs);
  return { ...workload, partitionCount: 1, requests, endMs: requests.at(-1)![0]!.atMs };
}

function withLargest(prng: Prng, workload: Workload, coverage: Coverage): Workload {
  const requests = workload.requests.map((request) => {
    const [first, ...others] = request;
    if (first!.type !== 'track' || !prng.chance(LARGEST_REQUESTS)) return request;
    coverage.met('event of exactly the largest size');
    return [padded(first!), ...others];
  });
  return { ...workload, requests, hasLargest: true };
}

/** Times are texts of one length, so the event has this size whenever it is sent. */
function padded(event: PlannedEvent): PlannedEvent {
  const withPad = { ...event, facts: { ...event.facts, pad: '' } };
  const wire = wireEvent(withPad, { happenedAtMs: 0, sentAtMs: 0 });
  const missing = intakeLimits.eventBytesMax.default - Buffer.byteLength(JSON.stringify(wire));
  return { ...event, facts: { ...event.facts, pad: 'x'.repeat(missing) } };
}
