/** Every decoder and door that bytes from outside, or from a disk, can reach. */
import type { FuzzTarget } from './target.ts';
import { receivers, webhookAnswers } from './targets/answers.ts';
import { definitions } from './targets/definitions.ts';
import { controls, envelopes, partitions } from './targets/envelopes.ts';
import { jsonPayloads, msgpackPayloads, ndjsonPayloads } from './targets/event-payloads.ts';
import { fileGzip, fileLines, importLines } from './targets/files.ts';
import { filters, patterns } from './targets/filters.ts';
import { httpDoor, httpSocket } from './targets/http-door.ts';
import { aliasSections, movedParts, partitionRecords } from './targets/moves.ts';
import { natsIntake } from './targets/nats-intake.ts';
import {
  commandValues,
  fenceHeaders,
  rejectedRecords,
  sourcePositions,
} from './targets/small-records.ts';
import {
  checkpointDamage,
  checkpointIndexes,
  laneRecords,
  trimMarks,
  writeAheads,
} from './targets/stored-state.ts';
import { times } from './targets/times.ts';

export const TARGETS: readonly FuzzTarget[] = [
  jsonPayloads,
  ndjsonPayloads,
  msgpackPayloads,
  natsIntake,
  fileLines,
  fileGzip,
  importLines,
  httpDoor,
  httpSocket,
  definitions,
  filters,
  patterns,
  times,
  envelopes,
  partitions,
  controls,
  movedParts,
  partitionRecords,
  aliasSections,
  checkpointIndexes,
  checkpointDamage,
  laneRecords,
  trimMarks,
  writeAheads,
  fenceHeaders,
  sourcePositions,
  rejectedRecords,
  commandValues,
  webhookAnswers,
  receivers,
];
