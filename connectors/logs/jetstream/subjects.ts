/**
 * Where the topics of the log lie in JetStream. A topic's kind, the part before its first dot, is
 * a stream; the rest is a token of its subjects, which end in who wrote:
 *
 *   in.7      →  LAPSE_IN    lapse.in.7.r      plain appends
 *                            lapse.in.7.own    claims
 *   out.crm   →  LAPSE_OUT   lapse.out.crm.12  fenced appends of writer 12
 *                LAPSE_META  lapse.meta.*      what the log is, and how far topics are trimmed
 */
import { userError } from '../../../engine/errors/errors.ts';

export interface TopicPlace {
  readonly kind: string;
  readonly stream: string;
  /** Of all that is the topic's. */
  readonly filter: string;
  readonly plain: string;
  readonly claims: string;
  /** Where the log notes how far the topic is trimmed. */
  readonly trimNote: string;
  fenced(writer: number): string;
}

/** A topic without a second part has this token, which no name can give. */
const NO_NAME = '=';

/** @throws LapseError `ERR_TOPIC_NAME` when it has no kind of lower-case letters */
export function placeOf(prefix: string, topic: string): TopicPlace {
  const dot = topic.indexOf('.');
  const kind = dot === -1 ? topic : topic.slice(0, dot);
  if (!/^[a-z]+$/.test(kind) || kind === 'meta' || dot === topic.length - 1) {
    throw userError(
      'ERR_TOPIC_NAME',
      `A topic must be 'kind' or 'kind.name' with a kind of letters a-z, got '${topic}'.`,
    );
  }
  const name = dot === -1 ? NO_NAME : tokenOf(topic.slice(dot + 1));
  const subject = `${prefix}.${kind}.${name}`;
  return {
    kind,
    stream: streamOf(prefix, kind),
    filter: `${subject}.>`,
    plain: `${subject}.r`,
    claims: `${subject}.own`,
    trimNote: `${prefix}.meta.trim.${kind}.${name}`,
    fenced: (writer) => `${subject}.${writer}`,
  };
}

export function streamOf(prefix: string, kind: string): string {
  return `${prefix}_${kind}`.toUpperCase();
}

export function identitySubject(prefix: string): string {
  return `${prefix}.meta.identity`;
}

/** Where the log notes when its stream of this kind was created. */
export function createdSubject(prefix: string, kind: string): string {
  return `${prefix}.meta.created.${kind}`;
}

/** One token of a subject: bytes that NATS gives a meaning become `=` and two hex digits. */
function tokenOf(name: string): string {
  let token = '';
  for (const byte of new TextEncoder().encode(name)) {
    const letter = String.fromCharCode(byte);
    token += /[\w-]/.test(letter) ? letter : `=${byte.toString(16).padStart(2, '0')}`;
  }
  return token;
}
