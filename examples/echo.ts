/**
 * An echo server and a client of it, in one program.
 *
 *   node examples/echo.ts
 *
 * (Bun, Deno and Node from 22.18 run TypeScript as it is.)
 */
import { connect, lengthField, listen } from 'overlapped';

// Two bytes of length stand before every message, and count themselves too.
const framing = lengthField({ size: 2, endian: 'little', includesHeader: true });

const server = await listen({
  // No port: the system chooses a free one.
  framing,
  // All messages of a turn at once; `echo` sends one back without a copy into JavaScript.
  messages(batch) {
    for (let i = 0; i < batch.length; i++) batch.echo(i);
  },
  error(connection, error) {
    console.error(`connection ${connection.id}: ${error.message}`);
  },
});
console.log(`listening on port ${server.address.port} by backend ${server.backend.name}`);

const connection = await connect({ port: server.address.port, framing });

const texts = ['first', 'second', 'third'];
for (const text of texts) {
  // Text is sent as UTF-8. `send` never drops; false asks to wait before sending more.
  if (!connection.send(text)) await connection.drained();
}

// Messages come in the order they were sent, each a copy of its own.
let received = 0;
for await (const message of connection) {
  console.log(`echo: ${new TextDecoder().decode(message)}`);
  if (++received === texts.length) break;
}

await connection.close();
await server.close();
