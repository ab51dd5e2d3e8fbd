/**
 * A small HTTP/1.1 server: an empty line ends the head of a request, so a
 * delimiter is all the framing that requests without a body need.
 *
 *   node examples/http-hello.ts [PORT]
 *
 * Then open the address it prints. It says hello; /loop does so 50 times.
 */
import { type Connection, delimiter, listen } from 'overlapped';

const PAGES: Readonly<Record<string, { readonly type: string; readonly body: string }>> = {
  '/': { type: 'text/html', body: '<!doctype html><title>Hello</title><p>Hello, browser!' },
  '/hello': { type: 'text/plain', body: 'Hello!' },
  '/loop': {
    type: 'text/html',
    body: `<!doctype html><title>Loop</title><p id="count">0</p><script type="module">
      let good = 0;
      for (let i = 0; i < 50; i++) {
        const response = await fetch('/hello?' + i);
        if (response.ok && (await response.text()) === 'Hello!') count.textContent = ++good;
      }
      await fetch('/report?good=' + good);
    </script>`,
  },
  '/report': { type: 'text/plain', body: 'Thank you.' },
};
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  501: 'Not Implemented',
};

interface Request {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** The head of a request, or undefined if it is none. */
function parseHead(text: string): Request | undefined {
  // A peer may send an empty line before a request (RFC 9112, 2.2).
  const [first = '', ...lines] = text.replace(/^(?:\r\n)+/, '').split('\r\n');
  const [, method, path, version] = /^([A-Z]+) (\/\S*) HTTP\/(1\.[01])$/.exec(first) ?? [];
  if (method === undefined || path === undefined || version === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    headers.set(name.toLowerCase(), value);
  }
  if (version === '1.1' && !headers.has('host')) return undefined;
  return { method, path, version, headers };
}

function statusOf({ method, path, headers }: Request): number {
  // A body would have to be read: this server says that it does not.
  if (headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) !== 0)
    return 501;
  if (method !== 'GET' && method !== 'HEAD') return 405;
  return pageOf(path) === undefined ? 404 : 200;
}

function pageOf(path: string): (typeof PAGES)[string] | undefined {
  const [name = ''] = path.split('?');
  return Object.hasOwn(PAGES, name) ? PAGES[name] : undefined;
}

function staysOpen(request: Request, status: number): boolean {
  if (status === 501) return false;
  const wish = request.headers.get('connection')?.toLowerCase() ?? '';
  return request.version === '1.1' ? !wish.includes('close') : wish.includes('keep-alive');
}

function respond(connection: Connection, request: Request | undefined): void {
  const status = request === undefined ? 400 : statusOf(request);
  const keep = request !== undefined && staysOpen(request, status);
  const page = (status === 200 && request && pageOf(request.path)) || {
    type: 'text/plain',
    body: `${status} ${REASONS[status]}`,
  };
  const body = new TextEncoder().encode(page.body);
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    `Content-Type: ${page.type}; charset=utf-8`,
    `Content-Length: ${body.length}`,
    `Connection: ${keep ? 'keep-alive' : 'close'}`,
    ...(status === 405 ? ['Allow: GET, HEAD'] : []),
  ];
  // The framing is that of requests: a response goes out as it is.
  connection.sendRaw(new TextEncoder().encode(`${head.join('\r\n')}\r\n\r\n`));
  if (request?.method !== 'HEAD') connection.sendRaw(body);
  console.log(`${status} ${request?.method ?? '-'} ${request?.path ?? '-'}`);
  if (!keep) connection.end();
}

const server = await listen({
  port: Number(process.argv[2] ?? 0),
  framing: delimiter('\r\n\r\n', { maxFrameBytes: 16_384 }),
  // Browsers open connections to spare and leave them silent.
  idleTimeoutMs: 60_000,
  message(connection, head) {
    // After the last response nothing more is answered.
    if (!connection.sendConnected) return;
    respond(connection, parseHead(new TextDecoder().decode(head)));
  },
});
console.log(`http://127.0.0.1:${server.address.port}/`);
process.once('SIGTERM', () => server.close());
