import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { resolveRuntime } from '../../../config/definitions/runtime.ts';
import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import { type LapseError, messageOf } from '../../../engine/errors/errors.ts';
import { factsOf } from '../../../engine/health/causes.ts';
import { Lapse } from '../../serve/lapse.ts';
import { createLogger } from '../logger.ts';
import { Ending } from './ending.ts';
import type { ServeOptions } from './serve-options.ts';

/** `lapse serve`: runs until SIGTERM, SIGINT or SIGHUP; resolves with the exit code. */
export async function serveCommand(options: ServeOptions): Promise<number> {
  if (options.demo === true) {
    const { demoCommand } = await import('./demo.ts');
    return demoCommand(options);
  }
  const end = new Ending();
  const logger = createLogger({ asJson: options.json === true });
  const { definitions, runtime } = loadConfiguration(options.config ?? [], process.env, {
    egressFlags: { ...options },
  });
  const settings = resolveRuntime({ ...options }, process.env, runtime);
  const started = performance.now();
  const starting = Lapse.start({
    definitions,
    settings,
    onWarning: (where, error) => logger.warn({ where, code: error.code }, error.message),
    onCondition: {
      began: ({ cause, where, message }) => logger.warn({ cause, ...named(where) }, message),
      over: ({ cause, where }, ms) => {
        logger.info({ cause, ...named(where), ms }, factsOf(cause).over);
      },
    },
    onFailure: (error) => end.fail(error),
  });
  await Promise.race([starting, end.reason]);
  if (end.signal !== undefined) {
    // Nothing was accepted yet, and what a start does survives being cut off anywhere.
    logger.info({ signal: end.signal }, 'Stopped before it took events.');
    process.exit(0);
  }
  const lapse = await starting;
  for (const sentence of lapse.home.degradations) logger.warn(sentence);
  logger.info(
    {
      url: lapse.url,
      ...(lapse.opsUrl === undefined ? {} : { opsUrl: lapse.opsUrl }),
      log: lapse.home.kind,
      partitions: settings.engine.partitions,
      workers: settings.engine.workers,
      campaigns: definitions.campaigns.length,
      webhooks: definitions.webhooks.length,
      ms: Math.round(performance.now() - started),
    },
    `Lapse ${LAPSE_VERSION} takes events.`,
  );
  const reason = await end.reason;
  if (reason.failure === undefined) logger.info({ signal: reason.signal }, 'Draining.');
  else logger.error({ code: reason.failure.code }, reason.failure.message);
  const stopping = performance.now();
  try {
    await lapse.stop();
  } catch (error) {
    logger.error({ code: (error as LapseError).code }, messageOf(error));
    // What did not end keeps the process alive.
    process.exit(1);
  }
  logger.info({ ms: Math.round(performance.now() - stopping) }, 'Stopped.');
  return reason.failure === undefined ? 0 : 1;
}

function named(where: string): { where?: string } {
  return where === '' ? {} : { where };
}
