/** A whole program over the simulator, played again. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type SimOptions, sim } from '../../../backends/sim/index.ts';
import { connect, lengthField, listen, openPort } from '../../../src/index.ts';

const FAULTS: SimOptions = {
  receiveDepth: 20,
  sendDepth: 4,
  shuffle: 0.5,
  split: 0.4,
  delayMs: [0, 5],
  resetProbability: 0.005,
  loseCancelProbability: 0.5,
  bufferExhaustion: 0.02,
};

/** Some clients of an echo server, until all are done; what happened, as text. */
async function play(seed: number): Promise<{ trace: string[]; story: string[] }> {
  const trace: string[] = [];
  const story: string[] = [];
  const backend = sim({ ...FAULTS, seed, trace });
  const on = await openPort({ backend: backend as never });
  const framing = lengthField({ size: 2 });
  const server = await listen({
    on,
    framing,
    receiveDepth: 20,
    port: 7,
    message: (connection, bytes) => void connection.send(bytes),
  });
  const client = async (index: number) => {
    let answers = 0;
    const connection = await connect({
      on,
      framing,
      receiveDepth: 20,
      port: 7,
      message(each, bytes) {
        story.push(`${index} ${bytes.length}`);
        answers += 1;
        if (answers === 30) void each.close();
      },
      close: (_, error) => void story.push(`${index} ${error?.code ?? 'clean'}`),
    });
    for (let number = 0; number < 30; number += 1) {
      connection.send(new Uint8Array(100 + ((index * 31 + number * 57) % 2000)));
    }
    await connection.closed;
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(client));
  await server.close();
  await on.close();
  return { trace, story };
}

test('the same seed gives the same run of a whole program, faults and all', async () => {
  const first = await play(11);
  assert.ok(first.trace.length > 300, `${first.trace.length} completions`);
  const again = await play(11);
  assert.equal(again.story, first.story);
  assert.equal(again.trace, first.trace);
  const other = await play(12);
  assert.not.equal(other.trace, first.trace);
});

test.run();
