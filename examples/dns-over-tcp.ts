/**
 * Asks a DNS server for IPv4 addresses, over TCP (RFC 1035, 4.2.2): a message
 * stands behind its length in two bytes. All questions go out at once.
 *
 *   node examples/dns-over-tcp.ts SERVER PORT NAME…
 */
import { connect, lengthField } from 'overlapped';

const [host = '127.0.0.1', port = '53', ...names] = process.argv.slice(2);

const TYPE_A = 1;
const CLASS_INTERNET = 1;
const RECURSION_DESIRED = 0x0100;
const HEADER_BYTES = 12;
const OUTCOMES = ['', 'malformed question', 'server failure', 'no such name', '', 'refused'];

function question(id: number, name: string): Uint8Array {
  const labels = name.split('.').flatMap((label) => {
    const bytes = new TextEncoder().encode(label);
    if (bytes.length < 1 || bytes.length > 63) throw new Error(`${name} is not a name`);
    return [bytes.length, ...bytes];
  });
  const message = new Uint8Array(HEADER_BYTES + labels.length + 5);
  const view = new DataView(message.buffer);
  view.setUint16(0, id);
  view.setUint16(2, RECURSION_DESIRED);
  view.setUint16(4, 1); // one question
  message.set(labels, HEADER_BYTES);
  view.setUint16(message.length - 4, TYPE_A);
  view.setUint16(message.length - 2, CLASS_INTERNET);
  return message;
}

/** Where a name ends that begins at `at`: at its empty label, or with a pointer to elsewhere. */
function afterName(view: DataView, at: number): number {
  let position = at;
  for (;;) {
    const length = view.getUint8(position);
    if (length === 0) return position + 1;
    if (length >= 0xc0) return position + 2;
    position += 1 + length;
  }
}

interface Answer {
  readonly id: number;
  readonly outcome: number;
  readonly addresses: readonly string[];
}

/** Reading past the end throws a RangeError: that is all the checking it needs. */
function parseAnswer(message: Uint8Array): Answer {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  let position = HEADER_BYTES;
  for (let i = view.getUint16(4); i > 0; i--) position = afterName(view, position) + 4;
  const addresses: string[] = [];
  for (let i = view.getUint16(6); i > 0; i--) {
    const record = afterName(view, position);
    const size = view.getUint16(record + 8);
    const data = record + 10;
    if (view.getUint16(record) === TYPE_A && size === 4) {
      addresses.push([0, 1, 2, 3].map((byte) => view.getUint8(data + byte)).join('.'));
    }
    position = data + size;
  }
  return { id: view.getUint16(0), outcome: view.getUint8(3) & 0x0f, addresses };
}

const connection = await connect({
  host,
  port: Number(port),
  framing: lengthField({ size: 2, endian: 'big' }),
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
});
const waiting = new Map(names.map((name, index) => [index + 1, name]));
for (const [id, name] of waiting) connection.send(question(id, name));

if (waiting.size > 0) {
  // Answers come in any order: the id says which is which.
  for await (const message of connection) {
    const { id, outcome, addresses } = parseAnswer(message);
    const name = waiting.get(id);
    if (name === undefined) continue;
    waiting.delete(id);
    console.log(`${name} ${addresses.join(' ') || OUTCOMES[outcome] || 'no address'}`);
    if (outcome !== 0) process.exitCode = 1;
    if (waiting.size === 0) break;
  }
}
// The server may end the connection before all is answered.
for (const name of waiting.values()) {
  console.log(`${name} no answer`);
  process.exitCode = 1;
}
await connection.close();
