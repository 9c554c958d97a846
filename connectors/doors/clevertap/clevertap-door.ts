/**
 * The HTTP door for CleverTap's upload: `POST /1/upload` with `{"d": […]}`, answered in CleverTap's
 * form and with its codes. `?dryRun=1` checks and takes nothing. The account's headers are accepted
 * and not looked at: this version has no keys, and listens on loopback only.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { writeJson } from '../../../engine/json/write-json.ts';
import { isPlainObject } from '../../events/check-properties.ts';
import type { RejectionCode } from '../../events/rejection.ts';
import { parseBody } from '../http/http-body.ts';
import type { RefusedEvent } from '../http/http-events.ts';
import type { HttpFront } from '../http/http-front.ts';
import { demandEventsAtMost, type HttpProblem, HttpProblemError } from '../http/http-problem.ts';
import { eventOfRecord } from './clevertap-records.ts';

const STRUCTURE = 512;
const MISCELLANEOUS = 555;
/** A record nested deeper is not shown in the answer: writing it could exhaust the stack. */
const DEPTH_SHOWN_MAX = 64;

/** CleverTap's number for each reason of ours. */
const CODES: Readonly<Partial<Record<RejectionCode, number>>> = {
  ERR_EVENT_NAME: 509,
  ERR_EVENT_SHAPE: STRUCTURE,
  ERR_EVENT_TOO_DEEP: STRUCTURE,
  ERR_EVENT_VALUE: STRUCTURE,
  ERR_PROFILE_OPERATION: STRUCTURE,
  ERR_EVENT_RESTRICTED: 513,
  ERR_PROFILE_GENDER: 514,
  ERR_PROFILE_EMAIL: 515,
  ERR_PROFILE_PHONE: 516,
  ERR_EVENT_PROPERTIES: 522,
  ERR_EVENT_USER: 523,
  ERR_EVENT_TYPE: 524,
  ERR_EVENT_TIME: 525,
};
/** A device's id that is none. */
const OBJECT_ID = 526;

/** Adds the door's route to a server. */
export async function registerCleverTapDoor(
  server: FastifyInstance,
  front: HttpFront,
): Promise<void> {
  await front.register(
    server,
    (scope) => {
      scope.post('/1/upload', (request, reply) =>
        front.inTurn(request.body, (bytes) => upload(front, bytes, request, reply)),
      );
    },
    sendFailure,
  );
}

async function upload(
  front: HttpFront,
  body: Buffer,
  { query }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const request = parseBody(body, front.repairs);
  const records = isPlainObject(request) ? request.d : undefined;
  if (!Array.isArray(records)) {
    throw new HttpProblemError({
      status: 400,
      code: 'ERR_BATCH_SHAPE',
      detail: 'An upload must be an object with an array "d" of records, it is not.',
    });
  }
  demandEventsAtMost(front.limits, 'uploadRecordsMax', records.length);
  const { rejected: refused } = await front.take({
    body,
    events: records.map(eventOfRecord),
    at: { member: 'd' },
    type: undefined,
    sentAt: undefined,
    isDryRun: (query as { dryRun?: unknown }).dryRun === '1',
  });
  const processed = records.length - refused.length;
  const answer = {
    status: statusOf(processed, refused.length),
    processed,
    unprocessed: refused.map((one) => unprocessed(one, records[one.index])),
  };
  return reply.code(200).type('application/json').send(writeJson(answer));
}

function statusOf(processed: number, refused: number): 'success' | 'partial' | 'fail' {
  if (refused === 0) return 'success';
  return processed > 0 ? 'partial' : 'fail';
}

function unprocessed({ index, code, message }: RefusedEvent, record: unknown) {
  return {
    status: 'fail',
    code: codeOf(code as RejectionCode, record),
    error: `${message} Skipped record number : ${index + 1}`,
    record: isWithinDepth(record, DEPTH_SHOWN_MAX) ? record : null,
  };
}

function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((one) => isWithinDepth(one, depth - 1));
}

function codeOf(code: RejectionCode, record: unknown): number {
  const hasObjectId = isPlainObject(record) && record.objectId !== undefined;
  const hasIdentity = isPlainObject(record) && record.identity !== undefined;
  if (code === 'ERR_EVENT_USER' && hasObjectId && !hasIdentity) return OBJECT_ID;
  return CODES[code] ?? MISCELLANEOUS;
}

/** A whole call that is refused, in CleverTap's form. */
function sendFailure(reply: FastifyReply, problem: HttpProblem): FastifyReply {
  const { status, detail, retryAfterSeconds } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
  const code = status < 500 && status !== 429 ? STRUCTURE : MISCELLANEOUS;
  return reply
    .code(status === 413 ? 400 : status)
    .send({ status: 'fail', code, error: detail, processed: 0, unprocessed: [] });
}
