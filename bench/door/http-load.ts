/**
 * A process that posts batches of events as fast as they are answered, over a few connections.
 * Its bodies are made before it says that it is ready.
 */
import { Pool } from 'undici';
import { eventJson } from '../workload/event-json.ts';
import { ShopWorkload } from '../workload/shop.ts';

export interface HttpLoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly batch: number;
  readonly users: number;
  readonly events: number;
  readonly seed: number;
}

export type FromHttpLoad =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly refused: number; readonly latenciesMs: number[] };

function bodiesOf({ users, events, seed, batch }: HttpLoadOptions): string[] {
  const nowMs = Date.now();
  const workload = new ShopWorkload({ seed, users, events, fromMs: nowMs, durationMs: 1 });
  const bodies: string[] = [];
  for (let gathered: string[] = []; ; ) {
    const hasNext = workload.next();
    if (hasNext) gathered.push(eventJson(workload.event, nowMs));
    if (gathered.length === batch || (!hasNext && gathered.length > 0)) {
      bodies.push(`{"batch":[${gathered.join(',')}]}`);
      gathered = [];
    }
    if (!hasNext) return bodies;
  }
}

async function post(options: HttpLoadOptions, bodies: readonly string[]): Promise<FromHttpLoad> {
  const pool = new Pool(options.url, { connections: options.connections });
  const latenciesMs: number[] = [];
  let [next, refused] = [0, 0];
  const postInTurn = async () => {
    while (next < bodies.length) {
      const body = bodies[next++]!;
      const startedMs = performance.now();
      const headers = { 'content-type': 'application/json' };
      const answer = await pool.request({ path: '/v1/batch', method: 'POST', headers, body });
      await answer.body.dump();
      if (answer.statusCode !== 200) refused++;
      latenciesMs.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: options.connections }, postInTurn));
  await pool.close();
  return { kind: 'done', refused, latenciesMs };
}

const options = JSON.parse(process.argv[2]!) as HttpLoadOptions;
const bodies = bodiesOf(options);
const say = (message: FromHttpLoad) => process.send!(message);
process.once('message', () => {
  post(options, bodies).then(
    (done) => {
      say(done);
      process.disconnect();
    },
    (error: unknown) => {
      throw error;
    },
  );
});
say({ kind: 'ready' });
