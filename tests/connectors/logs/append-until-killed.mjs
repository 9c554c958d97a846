// A process for the crash tests: opens the embedded log of the folder given, appends as fast as it
// can, and prints the offset of each append once it is acknowledged. Somebody kills it.
import { connectEmbeddedLog } from '../../../dist/connectors/logs/embedded/embedded-log.js';
import { startEmbeddedLog } from '../../../dist/connectors/logs/embedded/embedded-server.js';

const [directory, durability] = process.argv.slice(2);
const IN_FLIGHT = 50;

const server = await startEmbeddedLog({ directory, partitionCount: 4, durability });
const log = await connectEmbeddedLog(server.address().address);
process.stdout.write(`opened ${await log.tail('in.0')}\n`);
let next = await log.tail('in.0');

async function appendForEver() {
  for (;;) {
    const wanted = ++next;
    const offset = await log.append('in.0', new TextEncoder().encode(`envelope ${wanted}`));
    process.stdout.write(`${offset}\n`);
  }
}
await Promise.all(Array.from({ length: IN_FLIGHT }, appendForEver));
