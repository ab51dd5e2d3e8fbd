// One sample: import, then the first instance of the core.
const start = performance.now();
const [, { Core }] = await Promise.all([
  import('../../dist/index.js'),
  import('../../dist/core.js'),
]);
const imported = performance.now();
await Core.create();
const ready = performance.now();
console.log(
  JSON.stringify({
    importMs: imported - start,
    thenMs: ready - imported,
    togetherMs: ready - start,
  }),
);
