/**
 * Faults of the shared turn, all compiled into one core: a word of memory says
 * which of them it shows. Compiling the whole core takes long.
 */
import type { SourceChange } from '../../build/asyncify.ts';

/** Where the word is; the machine sets it. */
export const FAULT_ADDRESS = 512;

export interface ShareFaultCase {
  readonly name: string;
  /** Which scenario finds it out: a name in cores.ts. */
  readonly scenario: 'plain' | 'selects' | 'posts' | 'latePosts' | 'aborts';
  readonly found: RegExp;
  readonly file: string;
  readonly from: string;
  /** `$` stands for the condition that the fault is on. */
  readonly to: string;
}

const CLAIM = 'assembly/share/claim.ts';
const RELEASE = 'assembly/share/release.ts';
const ATTEND = 'assembly/share/attend.ts';
const SUBMISSIONS = 'assembly/share/submissions.ts';
const CALL = 'assembly/share/call.ts';

export const SHARE_FAULTS: readonly ShareFaultCase[] = [
  {
    name: 'owner looked at outside the lock',
    scenario: 'plain',
    found: /two handlers|traps|as number|still|kept|inbox/,
    file: CLAIM,
    from: '    const owner = connection.owner;\n    if (isPoke) {',
    to: `    const owner = connection.owner;
    if ($) { lockRelease(lock); lockAcquire(lock); }
    if (isPoke) {`,
  },
  {
    name: 'released although something was forwarded',
    scenario: 'plain',
    found: /stuck|two handlers|traps|as number|still|inbox/,
    file: RELEASE,
    from: 'if (atomicLoad<u32>(forwardedOf(connection)) == 0) {',
    to: 'if ($ || atomicLoad<u32>(forwardedOf(connection)) == 0) {',
  },
  {
    name: 'released although calls wait',
    scenario: 'latePosts',
    found: /stuck/,
    file: RELEASE,
    from: '} else if (connection.callsHead == 0) {',
    to: '} else if ($ || connection.callsHead == 0) {',
  },
  {
    name: 'a poke that was taken is not forgotten',
    scenario: 'posts',
    found: /stuck/,
    file: CLAIM,
    from: '      connection.poked = 0;\n',
    to: '      if (!($)) connection.poked = 0;\n',
  },
  {
    name: 'the post looks for an owner outside the lock',
    scenario: 'latePosts',
    found: /stuck/,
    file: CALL,
    from: '  if (connection.owner == NOTHING) {\n    if (!poke',
    to: `  const isFree = connection.owner == NOTHING;
  if ($) {
    lockRelease(claimLock(sharedOf(port), slot));
    lockAcquire(claimLock(sharedOf(port), slot));
  }
  if (isFree) {\n    if (!poke`,
  },
  {
    name: 'taken in one step and claimed in another',
    scenario: 'selects',
    found: /as number/,
    file: CLAIM,
    from: 'const ordered = (port.flags & PORT_SELECTS_BUFFERS) != 0;',
    to: 'const ordered = !($) && (port.flags & PORT_SELECTS_BUFFERS) != 0;',
  },
  {
    name: 'its own completions overtake those in its inbox',
    scenario: 'selects',
    found: /as number/,
    file: CLAIM,
    from: '(owner != worker.index || connection.forwarded != 0)',
    to: '(owner != worker.index || (connection.forwarded != 0 && !($)))',
  },
  {
    name: 'closed although completions are under way',
    scenario: 'aborts',
    found: /traps/,
    file: ATTEND,
    from: '  if (connection.operations != stored) return;',
    to: '  if (connection.operations != stored && !($)) return;',
  },
  {
    name: 'the I/O thread forgets to be told again',
    scenario: 'plain',
    found: /stuck/,
    file: ATTEND,
    from: 'if (worker.index == 0) atomicStore',
    to: 'if (worker.index == 0 && !($)) atomicStore',
  },
  {
    name: 'everybody leaves the wake to others',
    scenario: 'plain',
    found: /stuck/,
    file: SUBMISSIONS,
    from: '  if (queueSubmissions(worker, shared) != 0) tellIo(shared);',
    to: '  if (queueSubmissions(worker, shared) != 0 && !($)) tellIo(shared);',
  },
];

export const SHARE_CHANGES: readonly SourceChange[] = SHARE_FAULTS.map(
  ({ file, from, to }, index) => ({
    file,
    from,
    to: to.replaceAll('$', `load<u32>(${FAULT_ADDRESS}) == ${index + 1}`),
  }),
);
