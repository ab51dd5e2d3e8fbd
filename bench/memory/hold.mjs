// Opens COUNT connections to PORT, one frame each there and back, holds them, and says `open`.
import { connect } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number);
const AT_ONCE = 100;
/** A whole frame of the two-byte framing: its length, and two bytes. */
const FRAME = Buffer.of(4, 0, 0x6f, 0x6b);
const held = [];
let started = 0;

function openNext() {
  if (started === count) return;
  started++;
  const socket = connect({ port, host: '127.0.0.1' });
  let answer = Buffer.alloc(0);
  socket.once('connect', () => socket.write(FRAME));
  socket.on('data', (chunk) => {
    answer = Buffer.concat([answer, chunk]);
    if (answer.length < FRAME.length) return;
    if (!answer.equals(FRAME)) throw new Error(`a wrong answer: ${answer.toString('hex')}`);
    held.push(socket);
    if (held.length === count) console.log('open');
    else openNext();
  });
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('end', () => {
    throw new Error('the server closed a connection');
  });
}

for (let i = 0; i < AT_ONCE; i++) openNext();
