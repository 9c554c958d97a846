import { z } from 'zod';
import { userError } from '../../engine/errors/errors.ts';
import type { SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import { durationOf } from '../../engine/time/duration.ts';

const line = z.strictObject({
  webhook: z.string().optional(),
  campaign: z.string().optional(),
  user: z.string().optional(),
  nth: z.int().min(1).optional(),
  status: z.int().min(100).max(599).optional(),
  headers: z.record(z.string(), z.coerce.string()).optional(),
  latency: z
    .string()
    .refine((text) => Number.isFinite(durationOf(text)), 'must be a duration such as 250ms')
    .optional(),
  error: z.enum(['timeout', 'reset', 'refused']).optional(),
});
const script = z.strictObject({ responses: z.array(line).default([]) });

type ScriptLine = z.infer<typeof line>;

/** What a receiver answers, and when. */
export interface ScriptedAnswer {
  readonly result: TransportResult;
  /** Ms after the start of the attempt. */
  readonly afterMs: number;
}

/** A receiver that answers by a script: the first line that matches wins; 200 at once by default. */
export class ScriptedReceiver {
  readonly #lines: readonly ScriptLine[];
  readonly #matches: number[];

  /** @throws LapseError `ERR_RECEIVER` with the path of what is wrong */
  constructor(value: unknown) {
    const parsed = script.safeParse(value ?? {});
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      const path = issue.path.map((part) =>
        typeof part === 'number' ? `[${part}]` : `.${String(part)}`,
      );
      throw userError('ERR_RECEIVER', `receiver${path.join('')}: ${issue.message}`);
    }
    this.#lines = parsed.data.responses;
    this.#matches = this.#lines.map(() => 0);
  }

  answer(webhookId: string, attempt: SenderAttempt): ScriptedAnswer {
    for (const [i, line] of this.#lines.entries()) {
      if (line.webhook !== undefined && line.webhook !== webhookId) continue;
      if (line.campaign !== undefined && line.campaign !== attempt.campaignId) continue;
      const { user } = line;
      if (user !== undefined && !attempt.members.some((m) => m.userId === user)) continue;
      const nth = ++this.#matches[i]!;
      if (line.nth !== undefined && line.nth !== nth) continue;
      return answerOf(line, attempt);
    }
    return answerOf({}, attempt);
  }
}

function answerOf(line: ScriptLine, attempt: SenderAttempt): ScriptedAnswer {
  const { timeoutMs } = attempt.request;
  const latencyMs = line.latency === undefined ? 0 : durationOf(line.latency);
  const isLate = line.error === 'timeout' || latencyMs >= timeoutMs;
  const afterMs = isLate ? timeoutMs : latencyMs;
  const timing = { durationMs: afterMs, firstByteSentAtMs: attempt.startedAtMs };
  const error = isLate ? 'timeout' : line.error;
  if (error !== undefined) return { afterMs, result: { error, ...timing } };
  const retryAfter = Object.entries(line.headers ?? {}).find(
    ([name]) => name.toLowerCase() === 'retry-after',
  )?.[1];
  return {
    afterMs,
    result: {
      status: line.status ?? 200,
      bodySnippet: '',
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...timing,
    },
  };
}
