/** The ends of a process with a native backend at work: at once, with its own exit code. */

export interface ExitCase {
  readonly title: string;
  /** The program's text behind the opening of a port, a server and a client; `asleep` waits until the port waits for packets. */
  readonly end: string;
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: RegExp;
}

export const EXIT_CASES: readonly ExitCase[] = [
  {
    title: 'process.exit while asleep',
    end: `await asleep(); console.log('exits'); process.exit(7);`,
    exit: 7,
    stdout: 'open\nexits\n',
    stderr: /^$/,
  },
  {
    title: 'an uncaught exception while asleep',
    end: `await asleep(); setTimeout(() => { throw new Error('thrown on purpose'); });`,
    exit: 1,
    stdout: 'open\n',
    stderr: /thrown on purpose/,
  },
  {
    title: 'process.exit with operations just begun',
    end: `for (let i = 0; i < 100; i++) client.send('x'.repeat(1000)); process.exit(8);`,
    exit: 8,
    stdout: 'open\n',
    stderr: /^$/,
  },
  {
    title: 'process.exit while a port closes',
    end: `await asleep(); void port.close(); process.exit(9);`,
    exit: 9,
    stdout: 'open\n',
    stderr: /^$/,
  },
  {
    title: 'nothing that is referenced keeps it: it ends by itself',
    end: `await asleep(); client.abort(); await client.closed; server.unref();
process.on('exit', () => console.log('exits'));`,
    exit: 0,
    stdout: 'open\nexits\n',
    stderr: /^$/,
  },
  {
    title: 'a closed port keeps nothing: it ends by itself',
    end: `await asleep(); const left = await port.close(); console.log(JSON.stringify(left));`,
    exit: 0,
    stdout: 'open\n{"operations":0,"handles":0,"lent":0,"buffers":0,"connections":0}\n',
    stderr: /^$/,
  },
];
