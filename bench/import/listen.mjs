// One sample: import, then a listening server.
const start = performance.now();
const { listen } = await import('../../dist/index.js');
const imported = performance.now();
const server = await listen({ backend: 'net', message() {} });
const ready = performance.now();
console.log(
  JSON.stringify({
    importMs: imported - start,
    thenMs: ready - imported,
    togetherMs: ready - start,
  }),
);
await server.close();
