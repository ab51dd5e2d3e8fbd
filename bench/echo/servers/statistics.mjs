/**
 * Handlers that write the port's statistics, as a line of JSON, to the file that the variable
 * STATISTICS_FILE names, each time the last connection has closed. Without the variable there
 * are none. A file, because a process in Wine gets no signal that asks for them.
 */
import { writeFileSync } from 'node:fs';

export function statisticsHandlers(getPort) {
  const file = process.env.STATISTICS_FILE;
  if (!file) return {};
  let open = 0;
  return {
    open() {
      open++;
    },
    close() {
      open--;
      if (open === 0) writeFileSync(file, `${JSON.stringify(getPort().statistics())}\n`);
    },
  };
}
