/**
 * Makes the machine's clock show another year, in the process and its threads:
 *   NODE_OPTIONS="--import ./tests/support/other-year.mjs" npx vitest run …
 * Nothing that is simulated, compared or rendered may notice.
 */
const YEARS_AHEAD = 13;
const AHEAD_MS = YEARS_AHEAD * 365 * 86_400_000;
const RealDate = Date;
const now = () => RealDate.now() + AHEAD_MS;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});
