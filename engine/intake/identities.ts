import { AHEAD_CLAMP_MS, type IncomingEvent, type Leave } from '../envelope/records.ts';
import { type Alias, AliasTable, type UserId } from '../state/alias-table.ts';
import { Arena } from '../state/arena.ts';
import { keyOf } from '../state/key.ts';

/** Two ids of one user: what is known under `from` belongs to `to` from now on. */
export interface Join extends Alias {
  /** Whose `from` was until then; absent when it was its own, or when nothing has changed. */
  readonly before?: Pick<Alias, 'to' | 'joinedAtMs'>;
}

const NO_JOINS: readonly Join[] = [];
/** So long a message id is remembered (E7). */
const DEDUPE_WINDOW_MS = 86_400_000;

/**
 * Who is who at the doors (SPEC 1.2): which ids have joined which users. Rebuilt at each start
 * from what the partitions remember.
 *
 * An anonymous id that a second user identifies with (a shared device) goes over to the second
 * one: what was known under it stays with the first. An alias of a known user joins both for good.
 */
export class Identities {
  readonly #aliases = new AliasTable(new Arena());

  /** Ids that are another's by now. */
  get count(): number {
    return this.#aliases.count;
  }

  /** Takes over what a partition remembers. */
  learn({ from, to, joinedAtMs }: Alias): void {
    this.#aliases.set(keyOf(from.id, from.isAnonymous), to, joinedAtMs);
  }

  /** The joins that an event asks for and that are new; they hold from now on. */
  join(event: IncomingEvent, receivedAtMs: number): readonly Join[] {
    const ids = event.joins;
    if (ids === undefined || ids.length === 0) return NO_JOINS;
    const { user: to } = this.#follow({ id: event.userId, isAnonymous: event.isAnonymous });
    const joins: Join[] = [];
    for (const id of ids) {
      const { user: now } = this.#follow(id);
      if (isSame(now, to)) continue;
      const from = id.isAnonymous ? id : now;
      // What survives has no alias, so that no chain ever closes to a ring.
      if (isSame(from, to)) continue;
      joins.push(this.#change({ from, to, joinedAtMs: receivedAtMs }));
    }
    return joins;
  }

  /** The joins that an event asks for and that hold already. */
  known({ joins = [], userId, isAnonymous }: IncomingEvent): readonly Join[] {
    const { user: to } = this.#follow({ id: userId, isAnonymous });
    return joins.flatMap((from) => {
      const { joinedAtMs } = this.#follow(from);
      return isSame(from, to) ? [] : [{ from, to, joinedAtMs }];
    });
  }

  /**
   * Gives the event to the user whose it is now.
   * @returns the join by whose old partition it must go instead, and untouched, when that may have
   *   seen it before: only it knows
   */
  settle(event: IncomingEvent, receivedAtMs: number): Relay | undefined {
    if (this.#aliases.count === 0) return undefined;
    const from = { id: event.userId, isAnonymous: event.isAnonymous };
    const first = this.#aliases.get(keyOf(from.id, from.isAnonymous));
    if (first === undefined) return undefined;
    const { user, joinedAtMs } = this.#follow(from);
    const isRemembered = receivedAtMs - joinedAtMs < DEDUPE_WINDOW_MS;
    // One that says no time of its own tells nothing about when it was sent first.
    const mayBeOlder =
      event.eventAtMs <= joinedAtMs + AHEAD_CLAMP_MS || event.eventAtMs === receivedAtMs;
    if (isRemembered && mayBeOlder) {
      const join = { from, to: user, joinedAtMs };
      const isChain = !isSame(first.to, user);
      return { join: isChain ? this.#change(join) : join, isChain };
    }
    event.userId = user.id;
    event.isAnonymous = user.isAnonymous;
    return undefined;
  }

  /**
   * As if the join, or the end of a chain that was told, had not come. What was learned of its ids
   * since then has been taken back before.
   */
  takeBack({ from, before }: Join): void {
    const key = keyOf(from.id, from.isAnonymous);
    if (before === undefined) this.#aliases.remove(key);
    else this.#aliases.set(key, before.to, before.joinedAtMs);
  }

  #change(alias: Alias): Join {
    const before = this.#aliases.get(keyOf(alias.from.id, alias.from.isAnonymous));
    this.learn(alias);
    return before === undefined ? alias : { ...alias, before };
  }

  /** To the end of the chain, and when its newest link was made. */
  #follow(from: UserId): { user: UserId; joinedAtMs: number } {
    let user = from;
    let joinedAtMs = 0;
    for (;;) {
      const alias = this.#aliases.get(keyOf(user.id, user.isAnonymous));
      if (alias === undefined) return { user, joinedAtMs };
      user = alias.to;
      joinedAtMs = Math.max(joinedAtMs, alias.joinedAtMs);
    }
  }
}

/** An event that goes by way of its own id's partition. */
export interface Relay {
  /** Of its id and the user whose it will be. */
  readonly join: Join;
  /** That user has got it by way of others. */
  readonly isChain: boolean;
}

/** Names a user among those who are waited for. */
export function nameOf({ id, isAnonymous }: UserId): string {
  return `${isAnonymous ? 'anonymous' : 'known'} ${id}`;
}

/**
 * What is waited for: the end of a move, standing where that user is. On its way through a
 * chain of ids it may stand elsewhere before, even in the same partition.
 */
export function arrivalOf(token: string, user: UserId): string {
  return `${token} ${nameOf(user)}`;
}

export function leaveOf({ from, to, joinedAtMs }: Join, token: string): Leave {
  return { token, from, to, joinedAtMs };
}

function isSame(a: UserId, b: UserId): boolean {
  return a.id === b.id && a.isAnonymous === b.isAnonymous;
}
