import { RequestGuard } from '../../app/serve/http/request-guard.ts';

/** What an HTTP server needs besides its limits, when a test is not about who may come in. */
export function openHouse(onRefused: (code: string) => void = () => undefined) {
  return {
    guard: new RequestGuard({
      origins: [],
      hostNames: ['x', 'shop'],
      isDoor: () => true,
      onRefused,
    }),
    onRefused,
  };
}
