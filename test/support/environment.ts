/** Settings of a test run in hosts with and without environment variables. */
declare global {
  /** Set by the page that runs tests in a browser, which has no environment. */
  var OVERLAPPED_TEST_ENVIRONMENT: Readonly<Record<string, string>> | undefined;
}

export function environment(name: string): string | undefined {
  if (typeof process !== 'undefined' && process.env !== undefined) return process.env[name];
  return globalThis.OVERLAPPED_TEST_ENVIRONMENT?.[name];
}
