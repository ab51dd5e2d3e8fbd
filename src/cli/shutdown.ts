/** `overlapped shutdown`: ends a server through its named event (R13). */
import { signalEvent } from '../event.ts';
import { command } from './command.ts';
import { describeCarrier } from './ending.ts';
import { text } from './options.ts';
import { EXIT_OK, usageError } from './outcome.ts';

export const shutdown = command({
  name: 'shutdown',
  summary: 'Ends a server through its named event.',
  notes: 'Exit 1 if no server of this user listens to the event.',
  options: { event: text('NAME', 'the name that the server was given with --event') },
  async run({ event, json }) {
    if (event === '') throw usageError('--event NAME says which server');
    const carrier = await signalEvent(event);
    console.log(
      json
        ? JSON.stringify({ event, signaled: true, ...carrier })
        : `signaled ${event} (${describeCarrier(carrier)})`,
    );
    return EXIT_OK;
  },
});
