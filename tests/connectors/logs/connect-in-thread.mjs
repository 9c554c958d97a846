// A thread for the tests of the embedded log: connects by the address it is given, then copies
// what it reads from one topic to another, as a partition's owner does.
import { parentPort, workerData } from 'node:worker_threads';
import { connectEmbeddedLog } from '../../../dist/connectors/logs/embedded/embedded-log.js';

const { address, from, to, count } = workerData;
const log = await connectEmbeddedLog(address);
let wake = () => undefined;
const reader = log.read(from, 0, () => wake());
const copies = [];
while (copies.length < count) {
  const readable = new Promise((resolve) => {
    wake = resolve;
  });
  const envelope = reader.poll();
  if (envelope === undefined) await readable;
  else copies.push(log.append(to, envelope.bytes));
}
await Promise.all(copies);
reader.close();
await log.close();
parentPort.postMessage('copied');
