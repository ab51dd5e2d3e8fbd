/**
 * Every backend against a program that shares no line with it: what two ends of our own would
 * agree on wrongly shows here. A backend is added by one file that calls `foreign`.
 */
import { suite } from 'uvu';
import type { BackendSelection } from '../../backends/backend.ts';
import type { Capabilities } from '../conformance/context.ts';
import { conformance } from '../conformance/suite.ts';
import { findPeer, PeerUnavailable } from '../peer/compile.ts';
import { environment } from '../support/environment.ts';
import { againstServers } from './cases/client.ts';
import { opening } from './cases/opening.ts';
import { againstClients } from './cases/server.ts';

/** Where a host, or Wine below it, tells otherwise than a system does. */
export interface Quirks {
  /** A reset behind bytes may be told as an end: Wine takes the socket's error away before anyone has read it. */
  readonly hidesResets?: boolean;
  /** A reset may be noticed by a send first, as BROKEN_PIPE. */
  readonly sendsBreak?: boolean;
  /** Every connect that fails is REFUSED. */
  readonly everythingIsRefused?: boolean;
  /** An address that is not there is an invalid option. */
  readonly listenIsInvalid?: boolean;
}

/** The peer's path. Where there is none a word says why, and under CI that is a failure. */
async function peerOrWord(label: string): Promise<string | undefined> {
  try {
    return await findPeer();
  } catch (error) {
    if (!(error instanceof PeerUnavailable)) throw error;
    const test = suite(label);
    const name = `${label}: ${error.message}`;
    if (environment('CI') !== 'true') test.skip(name);
    else {
      test(name, () => {
        throw error;
      });
    }
    test.run();
    return undefined;
  }
}

/**
 * Registers the tests against the foreign peer for one backend.
 *
 * @param select makes a selection, a new one for each case
 * @param capabilities of an endpoint of TCP
 */
export async function foreign(
  label: string,
  select: () => BackendSelection<never> | BackendSelection<unknown>,
  capabilities: Capabilities,
  quirks: Quirks = {},
): Promise<void> {
  const name = `${label} and a foreign peer`;
  const peer = await peerOrWord(name);
  if (peer === undefined) return;
  const cases = [
    ...againstClients(peer, quirks),
    ...againstServers(peer, quirks),
    ...opening(peer, quirks),
  ];
  conformance(name, select, capabilities, cases);
}
