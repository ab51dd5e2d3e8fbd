/**
 * Where completions come from. Both are backends of the package; both answer each receive that
 * the workers submit with the next message of its connection, so that there is never more under
 * way than there are receives, and a source that is ahead of the workers sleeps.
 */
import { sim } from '../../dist/sim.js';
import { MESSAGE_BYTES, writeMessage } from './checker.mjs';

/** See `ERROR_CANCELED` and `COMPLETION_MORE` in assembly/layout. */
const CANCELED = -1;
const COMPLETION_MORE = 1;
/** Messages of one write to a simulated connection: half of the receives that it has pending. */
const BURST = 10;
const LISTENER = 1;
const FIRST_HANDLE = 2;

/**
 * @typedef {import('../../dist/index.js').BackendSelection} BackendSelection
 * @typedef {{backend: BackendSelection, open(port: number): void, end(): void,
 *   state(connection: number): object}} Source
 * @typedef {{connections: number, messages: number, receives: number}} Load
 */

/**
 * The simulated network, its options as a program would give them. The client ends are the
 * network's own, without a port: the cheapest peers that there can be in this process.
 * @param {Load} load
 * @returns {Source}
 */
export function simulated({ connections, messages, receives }) {
  const options = { receiveDepth: receives, delayMs: [0, 0], batch: 4096 };
  const selection = sim(options);
  /** By the client's port. */
  const clients = new Map();
  /** By the server's handle: its client, and how many receives wait for a message. */
  const peers = [];
  const due = [];

  const send = (peer) => {
    peer.isDue = false;
    const count = Math.min(peer.asked, messages - peer.sent);
    peer.asked -= count;
    const words = new Uint32Array((count * MESSAGE_BYTES) / 4);
    for (let index = 0; index < count; index++) {
      writeMessage(words, (index * MESSAGE_BYTES) / 4, peer.connection, peer.sent++);
    }
    peer.end.outgoing.send(new Uint8Array(words.buffer));
  };

  const asked = (driver, handle) => {
    let peer = peers[handle];
    if (peer === undefined) {
      peer = clients.get(driver.remoteAddress(handle).port);
      peers[handle] = peer;
    }
    if (peer === undefined || peer.sent === messages) return;
    peer.asked++;
    if (peer.asked >= BURST || peer.asked >= messages - peer.sent) {
      if (!peer.isDue) due.push(peer);
      peer.isDue = true;
    }
  };

  return {
    backend: {
      ...selection,
      create(host, given) {
        const driver = selection.create(host, given);
        const receive = driver.receive.bind(driver);
        const flush = driver.flush.bind(driver);
        driver.receive = (token, handle, offset, length) => {
          receive(token, handle, offset, length);
          asked(driver, handle);
        };
        driver.flush = () => {
          for (const peer of due.splice(0)) send(peer);
          flush();
        };
        return driver;
      },
    },
    open(port) {
      const { network } = selection;
      for (let connection = 0; connection < connections; connection++) {
        network.connect({
          endpoint: { host: '127.0.0.1', port },
          isOff: false,
          isWaiting: false,
          settle(end) {
            if (typeof end === 'number') throw new Error(`no connection: ${end}`);
          },
        });
      }
      // The client's port is known before the server can have asked for anything.
      const establish = network.accept.bind(network);
      network.accept = (listening) => {
        const end = establish(listening);
        if (end !== undefined) {
          const outgoing = end.incoming; // what the server receives, the client sends
          const connection = clients.size;
          clients.set(end.remote.port, { end: { outgoing }, connection, sent: 0, asked: 0 });
        }
        return end;
      };
      network.kick();
    },
    state(connection) {
      const peer = [...clients.values()].find((client) => client.connection === connection);
      return peer && { sent: peer.sent, asked: peer.asked, due: due.length };
    },
    end() {
      for (const { end } of clients.values()) end.outgoing.finish();
      selection.network.kick();
    },
  };
}

/**
 * No network at all: a receive completes in the same pass of the I/O thread in which it was
 * submitted. What is left is the package: its I/O thread, its queue, its workers.
 * @param {Load} load
 * @returns {Source}
 */
export function bare({ connections, messages, receives }) {
  const sent = new Int32Array(connections);
  const limits = {
    receiveDepth: receives,
    sendDepth: 1,
    maxTransferBytes: 2 ** 30,
    selectsBuffers: false,
  };
  let host;
  let ready = () => {};
  let hasEnded = false;
  let acceptToken = 0;
  /** Receives of this pass, and those that wait for a message that does not come. */
  const tokens = new Float64Array(connections * receives);
  const handles = new Int32Array(connections * receives);
  const offsets = new Int32Array(connections * receives);
  let count = 0;
  const waiting = new Map();
  let later = [];
  const soon = (run) => {
    later.push(run);
    if (later.length > 1) return;
    setImmediate(() => {
      const due = later;
      later = [];
      for (const item of due) item();
      ready();
    });
  };
  const nothing = () => {};
  const driver = {
    limits,
    attach: (run) => {
      ready = run;
    },
    wait: () => false,
    wake: () => soon(nothing),
    flush() {
      const { u32 } = host.core;
      for (let index = 0; index < count; index++) {
        const connection = Number(handles[index]) - FIRST_HANDLE;
        const token = Number(tokens[index]);
        const number = Number(sent[connection]);
        if (number === messages) {
          if (hasEnded) {
            host.complete(token, 0);
            continue;
          }
          const list = waiting.get(connection) ?? [];
          list.push(token);
          waiting.set(connection, list);
          continue;
        }
        sent[connection] = number + 1;
        writeMessage(u32, Number(offsets[index]) >>> 2, connection, number);
        host.complete(token, MESSAGE_BYTES);
      }
      count = 0;
    },
    listen: (token) => soon(() => host.complete(token, LISTENER)),
    accept: (token) => {
      acceptToken = token;
    },
    receive(token, handle, offset) {
      tokens[count] = token;
      handles[count] = handle;
      offsets[count++] = offset;
    },
    close(token, handle) {
      soon(() => {
        for (const pending of waiting.get(handle - FIRST_HANDLE) ?? []) {
          host.complete(pending, CANCELED);
        }
        waiting.delete(handle - FIRST_HANDLE);
        if (handle === LISTENER && acceptToken !== 0) host.complete(acceptToken, CANCELED);
        host.complete(token, 0);
      });
    },
    shutdown: (token) => soon(() => host.complete(token, 0)),
    cancel: nothing,
    localAddress: () => ({ address: '127.0.0.1', port: 1, family: 'IPv4' }),
    remoteAddress: () => undefined,
    configure: nothing,
    setReferenced: nothing,
    systemErrorName: () => undefined,
    now: () => performance.now(),
    setTimer(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    counters: () => ({}),
    dispose: async () => ({ operations: 0, handles: 0 }),
  };
  return {
    backend: {
      name: 'bare',
      options: {},
      probe: () => ({ available: true, detail: 'no network' }),
      create(given) {
        host = given;
        return driver;
      },
    },
    open() {
      soon(() => {
        for (let index = 0; index < connections; index++) {
          host.complete(acceptToken, FIRST_HANDLE + index, COMPLETION_MORE);
        }
      });
    },
    state: (connection) => ({
      sent: sent[connection],
      waiting: waiting.get(connection)?.length ?? 0,
    }),
    end() {
      soon(() => {
        for (const pending of [...waiting.values()].flat()) host.complete(pending, 0);
        waiting.clear();
        hasEnded = true;
      });
    },
  };
}

export const SOURCES = { sim: simulated, bare };
