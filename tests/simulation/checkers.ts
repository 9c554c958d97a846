import { checkDoors } from './check-doors.ts';
import { checkJoins } from './check-joins.ts';
import { checkQualifications } from './check-qualifications.ts';
import { checkSending } from './check-sending.ts';
import { checkSettlements } from './check-settlements.ts';
import type { World } from './world.ts';

/** Looks at all that a run did, when it has come to rest. */
export function checkAll(world: World): void {
  checkDoors(world);
  checkJoins(world);
  checkQualifications(world);
  checkSettlements(world);
  checkSending(world);
}
