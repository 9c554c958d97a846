/** The load in the forms in which the system takes it. */
import type {
  DefinitionsPlan,
  GatesPlan,
  GlobalLimitPlan,
  InactionConfig,
  PlannedEvent,
  QuietHoursPlan,
  RuleConfig,
} from './workload.ts';

/** When every run begins. */
export const START_MS = Date.parse('2026-01-05T09:00:00Z');

/** The definitions as a file would say them. */
export function configOf({ webhooks, campaigns, settings, segments }: DefinitionsPlan): unknown {
  return {
    settings: {
      timezone: settings.timezone,
      globalLimits: settings.globalLimits.map(limitConfig),
      controlGroups: { system: settings.system, custom: settings.custom },
    },
    segments,
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
    campaigns: campaigns.map(({ id, webhook, state, ttlMs, fields, rule, gates }) => ({
      id,
      webhook,
      state,
      ttl: `${ttlMs}ms`,
      content: { fields },
      qualify: { live: ruleConfig(rule) },
      ...gatesConfig(gates),
    })),
  };
}

function ruleConfig(rule: RuleConfig): unknown {
  if ('action' in rule) return rule;
  if ('inaction' in rule) return { inaction: inactionConfig(rule.inaction) };
  if ('sequence' in rule) {
    const { withinMs, ...sequence } = rule.sequence;
    return { sequence: { ...sequence, within: `${withinMs}ms` } };
  }
  if ('count' in rule) {
    const { on, withinMs, ...count } = rule.count;
    return { count: { ...on, ...count, within: `${withinMs}ms` } };
  }
  if ('quiet' in rule) return { quiet: { ...rule.quiet.on, for: `${rule.quiet.forMs}ms` } };
  const { on, property, offset, atMinute, yearly } = rule.date;
  const days = offset.days === 0 ? `${offset.ms}ms` : `${offset.days}d`;
  const at = atMinute === undefined ? {} : { at: timeOfDay(atMinute) };
  return { date: { ...on, property, offset: days, ...at, yearly } };
}

function gatesConfig(gates: GatesPlan): Record<string, unknown> {
  const { who, control, repeat, delayMs, quietHours, suppressIfDone, goal, schedule } = gates;
  const written = {
    who,
    control,
    repeat:
      typeof repeat === 'object' && 'everyMs' in repeat ? { every: `${repeat.everyMs}ms` } : repeat,
    delay: delayMs === undefined ? undefined : `${delayMs}ms`,
    quietHours: quietHours && quietHoursConfig(quietHours),
    suppressIfDoneBeforeSend: suppressIfDone,
    goal: goal && { ...goal.on, within: `${goal.withinMs}ms`, ...present('revenue', goal.revenue) },
    globalLimits: gates.globalLimits,
    cap: gates.cap,
    schedule: schedule && {
      ...present('start', instant(schedule.startMs)),
      ...present('end', instant(schedule.endMs)),
    },
    onOpenWindows: gates.onOpenWindows,
  };
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}

function present(key: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [key]: value };
}

function instant(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(START_MS + atMs).toISOString();
}

function quietHoursConfig({ windows, timezone, isDiscarding }: QuietHoursPlan): unknown {
  return {
    windows: windows.map(({ fromMinute, toMinute }) => ({
      from: timeOfDay(fromMinute),
      to: timeOfDay(toMinute),
    })),
    timezone,
    // biome-ignore lint/suspicious/noThenProperty: the word of the language; its value is a text.
    then: isDiscarding ? 'discard' : 'defer',
  };
}

function timeOfDay(minute: number): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function limitConfig(limit: GlobalLimitPlan): unknown {
  if ('gapMs' in limit) return { gap: `${limit.gapMs}ms` };
  return { atMost: limit.atMost, per: `${limit.perMs}ms` };
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
