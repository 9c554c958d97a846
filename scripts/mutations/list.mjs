/**
 * Ways to break the engine, each one small patch of its build (`npm run mutations`): what stands
 * once in a file, and what is put in its place.
 */
export const MUTATIONS = [
  {
    name: 'what is received exactly at a deadline comes too late',
    file: 'engine/partition/partition.js',
    from: 'kind === RecordKind.tick ? receivedAtMs : receivedAtMs - 1',
    to: 'receivedAtMs',
  },
  {
    name: 'the timer of a cancelled window stays',
    file: 'engine/state/window-table.js',
    from: 'this.wheel.remove(slot);\n        this.release(slot);',
    to: 'this.release(slot);',
  },
  {
    name: 'a checkpoint is written before the outputs are acknowledged',
    file: 'engine/partition/partition-runner.js',
    from: 'const saving = this.lanes.drained().then(',
    to: 'const saving = Promise.resolve().then(',
  },
  {
    name: 'message ids are forgotten over a restart',
    file: 'engine/partition/partition-state.js',
    from: 'this.dedupe.restore(snapshot.dedupe);',
    to: '',
  },
  {
    name: 'the time of a lane goes back',
    file: 'engine/intake-lane.js',
    from: 'if (receivedAtMs > this.lastReceivedAtMs)',
    to: 'if (receivedAtMs !== this.lastReceivedAtMs)',
  },
  {
    name: 'a tick comes before what was received up to then',
    file: 'engine/intake-ticks.js',
    from: 'this.#horizon.wait(atMs, () => {',
    to: 'setImmediate(() => {',
  },
  {
    name: 'partition time goes back',
    file: 'engine/partition/partition.js',
    from: 'if (receivedAtMs > this.state.timeMs)',
    to: 'if (receivedAtMs !== this.state.timeMs)',
  },
  {
    name: 'a second append of a partition is in flight',
    file: 'engine/intake.js',
    from: 'lane.isQueued || lane.isAppending',
    to: 'lane.isQueued',
  },
  {
    name: 'a user leaves before what came earlier for the survivor is stored',
    file: 'engine/intake.js',
    from: 'source.close(token);',
    to: '{}',
  },
  {
    name: 'what comes for the survivor after a join does not wait for what moves',
    file: 'engine/intake-lane.js',
    from: 'first.onReached = undefined;',
    to: 'first.onReached = undefined; first.isOpen = true;',
  },
  {
    name: 'a gate does not open when what it waits for has arrived elsewhere',
    file: 'engine/intake.js',
    from: 'lane.open(arrival);',
    to: '',
  },
  {
    name: 'a leave is not said again after a failed append',
    file: 'engine/intake.js',
    from: 'lane.leaveAgain(sealed);',
    to: '',
  },
  {
    name: 'an id that has left is no alias',
    file: 'operators/identity/leaving.js',
    from: 'aliases.set(key, to, joinedAtMs);',
    to: '',
  },
  {
    name: 'windows that leave stay as well',
    file: 'operators/identity/leaving.js',
    from: 'windows.cancel(slot);',
    to: '',
  },
  {
    name: 'the profile of an id that has left stays',
    file: 'engine/state/profile-table.js',
    from: 'this.#blobs.remove(key);',
    to: '',
  },
  {
    name: 'an event that goes on is taken for new where it was seen',
    file: 'engine/identities.js',
    from: 'if (isRemembered && mayBeOlder)',
    to: 'if (false)',
  },
  {
    name: 'a lane writes without its fence',
    file: 'engine/sender/lane-owner.js',
    from: 'await this.#log.append(topic, bytes, fence)',
    to: 'await this.#log.append(topic, bytes)',
  },
  {
    name: 'a fence does not look at the epoch',
    file: 'engine/fence.js',
    from: 'if (position.epoch < stored.epoch)',
    to: 'if (false)',
  },
  {
    name: 'a replay appends what stands there already',
    file: 'engine/partition/output-lanes.js',
    from: 'this.#skipReplayed(lane);',
    to: '',
  },
  {
    name: 'a door acknowledges before the log has it',
    file: 'engine/intake-lane.js',
    from: 'acknowledgement.hold();',
    to: 'return;',
  },
  {
    name: 'a without that overtook its did is forgotten',
    file: 'operators/rules/inaction.js',
    from: 'if (overtaken)',
    to: 'if (false)',
  },
  {
    name: 'the log is trimmed behind the newest checkpoint',
    file: 'engine/checkpoint/checkpoint-store.js',
    from: 'generations[GENERATIONS - 1]?.offset ?? 0',
    to: 'generations[0]?.offset ?? 0',
  },
  {
    name: 'Retry-After holds nothing back',
    file: 'operators/delivery/lane.js',
    from: 'this.#holdUntilMs = Math.max(this.#holdUntilMs, holdUntilMs);',
    to: '',
  },
  {
    name: 'requests use up nothing of the rate',
    file: 'operators/delivery/rate-limit.js',
    from: 'this.#taken++;',
    to: '',
  },
  {
    name: 'one request too many is in flight',
    file: 'operators/delivery/lane.js',
    from: 'this.#flights.size >= this.#webhook.maxInFlight',
    to: 'this.#flights.size > this.#webhook.maxInFlight',
  },
  {
    name: 'what has expired is sent',
    file: 'operators/delivery/lane.js',
    from: 'this.#expire(nowMs);\n        if',
    to: 'if',
  },
  {
    // Without the wait for the journal alone it is equivalent: the snapshot behind it comes later.
    name: 'a stop does not wait until what was delivered is written down',
    file: 'engine/sender/lane-runner.js',
    from: 'await journal.idle();\n        if (this.#hasStopped())\n            return;\n        await journal.writeSnapshot(true);',
    to: '',
  },
  {
    name: 'a without exactly at the end of its window does not cancel',
    file: 'operators/rules/inaction.js',
    from: 'event.eventAtMs > deadlineOf(',
    to: 'event.eventAtMs >= deadlineOf(',
  },
  {
    name: 'of two windows a repeat restarts the one that is found first',
    file: 'operators/rules/inaction.js',
    from: 'if (open === -1 || windows.anchorAtMs(slot) < windows.anchorAtMs(open))',
    to: 'if (open === -1)',
  },
  {
    name: 'a last delivery that is lost is not noticed',
    file: 'connectors/nats/pull-session.js',
    from: 'this.#noticeLoss(info.delivered.consumer_seq);',
    to: '',
  },
  {
    name: 'what the NATS door reads again is overtaken by what waited behind it',
    file: 'connectors/doors/nats/chunk-trail.js',
    from: 'new Acknowledgement({ onFailure })',
    to: 'new Acknowledgement()',
  },
];
