/** What a running test bundle tells the runner: one line of JSON an event, behind a record separator. */

export type TestEvent =
  | { readonly type: 'start'; readonly id: number; readonly file: string; readonly name: string }
  | { readonly type: 'pass'; readonly id: number }
  | { readonly type: 'fail'; readonly id: number; readonly error: string }
  | { readonly type: 'skip'; readonly file: string; readonly name: string }
  | { readonly type: 'end' };

/** ASCII record separator: no test prints it by accident. */
const SEPARATOR = '\u001e';

export function emit(event: TestEvent): void {
  // The line break before it ends whatever stood on the line.
  console.log(`\n${SEPARATOR}${JSON.stringify(event)}`);
}

/** The event in a line of output, or undefined where the line is ordinary output. */
export function parseEvent(line: string): TestEvent | undefined {
  if (!line.startsWith(SEPARATOR)) return undefined;
  return JSON.parse(line.slice(1)) as TestEvent;
}
