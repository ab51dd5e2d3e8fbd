/**
 * A program for Windows hosts: one echo server for each backend, and a listener that ends it.
 * It prints where they are, how each connection ended, and what each port left.
 */
import { iocp } from '../../backends/iocp/index.ts';
import { net } from '../../backends/net/index.ts';
import { type BackendSelection, listen, openPort, type Port } from '../../src/index.ts';
import { peerFraming } from '../peer/frames.ts';

const LIMIT_MS = 300_000;
const MARK = 256 * 1024;

const ports: Port[] = [];
for (const selection of [iocp(), net()] as readonly BackendSelection<unknown>[]) {
  const backend = selection as BackendSelection<never>;
  const port = await openPort({ backend, receiveBufferBytes: 4096 });
  ports.push(port);
  const { address } = await listen({
    on: port,
    framing: peerFraming(),
    receiveDepth: 20,
    highWaterMarkBytes: MARK,
    message: (connection, bytes) => void connection.send(bytes),
    close: (_, error) => console.log(`closed ${selection.name} ${error?.code ?? 'clean'}`),
  });
  console.log(`listening ${selection.name} ${address.port}`);
}

async function end(): Promise<void> {
  for (const port of ports) {
    const left = await port.close();
    console.log(`left ${port.backend.name} ${JSON.stringify(left)}`);
  }
  clearTimeout(limit);
}

const limit = setTimeout(() => process.exit(1), LIMIT_MS);
const control = await listen({
  open(connection) {
    connection.abort();
    void control.close().then(end);
  },
  message: () => {},
});
console.log(`listening control ${control.address.port}`);
