/**
 * One query to a PostgreSQL server, in its own protocol (version 3): a byte
 * says the type of a message, four bytes its length, which counts itself but
 * not the type.
 *
 *   node examples/postgres.ts HOST PORT USER DATABASE SQL
 */
import { connect, lengthField } from 'overlapped';

const [host = '127.0.0.1', port = '5432', user = 'postgres', database = user, sql = 'select 1'] =
  process.argv.slice(2);

const PROTOCOL_VERSION = 0x0003_0000;
/** Type and length. */
const HEADER_BYTES = 5;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The first message has no type, so no framing is right for it and the rest. */
function startUp(): Uint8Array {
  const settings = encoder.encode(
    `user\0${user}\0database\0${database}\0client_encoding\0UTF8\0\0`,
  );
  const message = new Uint8Array(8 + settings.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, PROTOCOL_VERSION);
  message.set(settings, 8);
  return message;
}

/** A message with room for its length, which the framing fills in. */
function message(type: string, body: string): Uint8Array {
  return encoder.encode(`${type}\0\0\0\0${body}`);
}

/** Names of the columns (`T`). */
function columns(view: DataView, bytes: Uint8Array): string[] {
  const names: string[] = [];
  let position = HEADER_BYTES + 2;
  for (let i = view.getUint16(HEADER_BYTES); i > 0; i--) {
    const end = bytes.indexOf(0, position);
    names.push(decoder.decode(bytes.subarray(position, end)));
    position = end + 1 + 18; // the name's end, then the numbers of table, column and type
  }
  return names;
}

/** Values of a row as text (`D`). */
function row(view: DataView, bytes: Uint8Array): string[] {
  const values: string[] = [];
  let position = HEADER_BYTES + 2;
  for (let i = view.getUint16(HEADER_BYTES); i > 0; i--) {
    const size = view.getInt32(position);
    position += 4;
    values.push(size < 0 ? 'NULL' : decoder.decode(bytes.subarray(position, position + size)));
    position += Math.max(0, size);
  }
  return values;
}

/** What is wrong (`E`): fields of a letter and a text each. */
function errorText(bytes: Uint8Array): string {
  const fields = decoder.decode(bytes.subarray(HEADER_BYTES)).split('\0');
  const field = (letter: string) => fields.find((text) => text.startsWith(letter))?.slice(1);
  return `${field('S')} ${field('C')}: ${field('M')}`;
}

const connection = await connect({
  host,
  port: Number(port),
  // Frame = 1 + 4 + value − 4; nothing is stripped, because the type is in the header.
  framing: lengthField({ offset: 1, size: 4, adjustment: -4, strip: 0, maxFrameBytes: 2 ** 24 }),
  connectTimeoutMs: 5_000,
});
connection.sendRaw(startUp());

let isAsked = false;
for await (const bytes of connection) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = String.fromCharCode(view.getUint8(0));
  if (type === 'R' && view.getUint32(HEADER_BYTES) !== 0) {
    console.error('the server asks for a password, which this example has not: allow trust');
    process.exitCode = 1;
    break;
  }
  if (type === 'E') {
    console.error(errorText(bytes));
    process.exitCode = 1;
    // Before the query an error is the end; after it the server gets ready again.
    if (!isAsked) break;
  }
  if (type === 'T') console.log(columns(view, bytes).join(' | '));
  if (type === 'D') console.log(row(view, bytes).join(' | '));
  if (type === 'C') console.log(decoder.decode(bytes.subarray(HEADER_BYTES, -1)));
  // Ready for a query: the first time it gets ours, the second time it has answered it.
  if (type === 'Z') {
    if (isAsked) break;
    isAsked = true;
    connection.send(message('Q', `${sql}\0`));
  }
}
if (connection.sendConnected) connection.send(message('X', ''));
await connection.close();
