import { collectDefaultMetrics, type Registry } from 'prom-client';

/** Gauges under a counter's name: `promtool check metrics` complains, and each is a sum of another. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/**
 * What every process and every Node.js program reports. Processor time, memory and files are those
 * of the process; heap, garbage collection and event loop those of the main thread.
 */
export function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const name of MISNAMED) register.removeSingleMetric(name);
}
