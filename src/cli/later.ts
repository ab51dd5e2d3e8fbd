/** Commands that this version does not have yet: they say so. */
import type { Command } from './command.ts';
import { EXIT_OK, notSupported } from './outcome.ts';

export function later(name: string, summary: string, why: string): Command {
  return {
    name,
    summary,
    async execute(argv) {
      if (!argv.includes('--help')) throw notSupported(`${name} is not in this version: ${why}`);
      console.log(`usage: overlapped ${name}\n\n${summary}\n\nNot in this version: ${why}.`);
      return EXIT_OK;
    },
  };
}
