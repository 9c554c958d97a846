import { IncomingMessage } from 'node:http';

const ASKED = Symbol('asked');

/**
 * A request that asks for an upgrade only when it asks for a WebSocket. Where somebody listens for
 * upgrades, Node.js gives them every request with `Upgrade`, and its body goes unread; but Java's
 * HTTP client sends `Upgrade: h2c` with every request, and expects a plain answer.
 */
export class UpgradeRequest extends IncomingMessage {
  declare [ASKED]: boolean;

  /** Set by Node.js before the headers are there, asked for behind them. */
  get upgrade(): boolean {
    return this[ASKED] && this.headers.upgrade?.toLowerCase() === 'websocket';
  }

  set upgrade(isAsked: boolean) {
    this[ASKED] = isAsked;
  }
}
