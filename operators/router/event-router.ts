import type { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { RecordFlag } from '../../engine/envelope/records.ts';
import { ACTIVITY } from '../event-standing.ts';
import type { Edge, Route } from './edge.ts';
import type { Scope } from './scope.ts';

/**
 * Leads an event along the edges of its name: each operator that wants it is told what it means to
 * it. The routes of an envelope's names are looked up once an envelope.
 */
export class EventRouter {
  readonly #scope: Scope;
  #routes: (Route | undefined)[] = [];
  #routesOf = -1;
  #version = -1;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * @returns undefined when nobody asks about the event. One that is no activity (an identify) has
   * no name, and whoever wants any activity is not asked
   */
  routeOf(envelope: EnvelopeReader, i: number): Route | undefined {
    const { book } = this.#scope;
    if (envelope.serial !== this.#routesOf || book.version !== this.#version) {
      this.#readRoutes(envelope);
    }
    return ACTIVITY.has(envelope.kind[i]!) ? this.#routes[envelope.name[i]!] : undefined;
  }

  #readRoutes(envelope: EnvelopeReader): void {
    const { routes } = this.#scope.book;
    this.#routes = envelope.names.map((name) => routes.withAny(name));
    this.#routesOf = envelope.serial;
    this.#version = this.#scope.book.version;
  }

  follow(route: Route, envelope: EnvelopeReader, i: number): void {
    const scope = this.#scope;
    const { event } = scope;
    const isHistory = (envelope.flags[i]! & RecordFlag.historyOnly) !== 0;
    if (isHistory) scope.counters.historyOnly++;
    scope.envelope = envelope;
    scope.index = i;
    for (const edge of route) {
      const { input, predicate } = edge;
      if (isHistory && !input.takesHistory) continue;
      scope.mayOpen = this.#mayOpen(edge, event.eventAtMs);
      if (input.opensOnly && !scope.mayOpen) continue;
      if (predicate !== undefined && !predicate.holds(event, event.serial)) continue;
      edge.records++;
      scope.key = event.key;
      if (edge.campaign !== undefined) scope.entry = edge.campaign;
      if (edge.node !== undefined) scope.useRule(edge.node, event.key);
      edge.listener.onEvent(scope, input.role);
    }
  }

  #mayOpen({ node, campaign }: Edge, eventAtMs: number): boolean {
    if (node === undefined || campaign === undefined || campaign.life !== 'running') return false;
    if (node.isRetired || eventAtMs < node.publishedAtMs) return false;
    const { endAtMs } = campaign.campaign.schedule;
    return endAtMs === undefined || this.#scope.nowMs <= endAtMs;
  }
}
