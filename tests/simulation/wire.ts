/** The load in the forms in which the system takes it. */
import type { DefinitionsPlan, InactionConfig, PlannedEvent } from './workload.ts';

/** The definitions as a file would say them. */
export function configOf({ webhooks, campaigns }: DefinitionsPlan): unknown {
  return {
    webhooks: webhooks.map((webhook) => ({
      id: webhook.id,
      url: `http://127.0.0.1:9/${webhook.id}`,
      ...(webhook.rate === undefined
        ? {}
        : {
            rate: {
              limit: webhook.rate.limit,
              per: `${webhook.rate.perMs}ms`,
              burst: webhook.rate.burst,
            },
          }),
      maxInFlight: webhook.maxInFlight,
      batch: { max: webhook.batchMax, linger: `${webhook.lingerMs}ms` },
      timeout: `${webhook.timeoutMs}ms`,
      retry: webhook.retryMs.map((ms) => `${ms}ms`),
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    })),
    campaigns: campaigns.map(({ id, webhook, state, ttlMs, fields, rule }) => ({
      id,
      webhook,
      state,
      ttl: `${ttlMs}ms`,
      content: { fields },
      qualify: {
        live:
          'action' in rule ? { action: rule.action } : { inaction: inactionConfig(rule.inaction) },
      },
    })),
  };
}

function inactionConfig(inaction: InactionConfig): unknown {
  const { did, without, withinMs, match, onRepeat, graceMs, maxExtendMs } = inaction;
  return {
    did,
    without,
    within: `${withinMs}ms`,
    ...(match === undefined ? {} : { match }),
    onRepeat,
    grace: `${graceMs}ms`,
    maxExtend: `${maxExtendMs}ms`,
  };
}

/** The event as it goes over the wire; what its producer says of time is fixed by `happenedAtMs`. */
export function wireEvent(
  event: PlannedEvent,
  { happenedAtMs, sentAtMs }: { happenedAtMs: number; sentAtMs: number },
): Record<string, unknown> {
  const { type, user, isAnonymous, joins, name, messageId, facts, ageMs, skewMs } = event;
  if (type === 'nonsense') return { type: 'track', userId: user, event: 7 };
  const time = (ms: number) => new Date(ms + (skewMs ?? 0)).toISOString();
  return {
    type,
    ...(isAnonymous ? { anonymousId: user } : { userId: user }),
    ...(joins === undefined ? {} : { [type === 'alias' ? 'previousId' : 'anonymousId']: joins }),
    ...(type === 'track' ? { event: name, properties: facts } : { traits: facts }),
    messageId,
    ...(ageMs === undefined ? {} : { timestamp: time(happenedAtMs) }),
    ...(ageMs === undefined || skewMs === undefined ? {} : { sentAt: time(sentAtMs) }),
  };
}
