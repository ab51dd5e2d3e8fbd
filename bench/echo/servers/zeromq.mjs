// Peer: the package zeromq (libzmq, with a thread of its own for I/O), a ROUTER that sends each
// message back to where it came from.
import { Router } from 'zeromq';

const router = new Router();
await router.bind('tcp://127.0.0.1:*');
console.log(`listening ${/:(\d+)$/.exec(router.lastEndpoint)[1]}`);
for await (const [peer, message] of router) await router.send([peer, message]);
