// @ts-check
/**
 * The echo benchmark from the repository, without `npx`: `node bench/echo/run.mjs --help` says
 * what it takes. It is `overlapped bench echo` of the package as it is built in dist/.
 */
process.argv.splice(2, 0, 'bench', 'echo');
await import(new URL('../../dist/cli.js', import.meta.url).href);
