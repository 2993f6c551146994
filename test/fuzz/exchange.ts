import { connect } from 'node:net';

/** One request as it goes over the wire; most clients would refuse to send what is tried here. */
export interface WireRequest {
  readonly method: string;
  /** The path and the query, as they stand in the request line. */
  readonly target: string;
  /** In the order in which they are sent, names as given, values in Latin-1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | null;
}

/** One answer as it came; `timeMs` counts from the connection to the last byte. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly timeMs: number;
}

const patienceMs = 20_000;

/** Sends the request on a connection of its own and reads until the API closes it. Throws without a whole answer. */
export async function exchange(apiUrl: string, request: WireRequest): Promise<WireAnswer> {
  const started = performance.now();
  const raw = await rawExchange(new URL(apiUrl), wireBytes(request));
  return { ...parse(raw), timeMs: performance.now() - started };
}

function wireBytes({ method, target, headers, body }: WireRequest): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return body === null ? head : Buffer.concat([head, body]);
}

function rawExchange({ hostname, port }: URL, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const giveUp = setTimeout(() => socket.destroy(new Error(`no whole answer in ${patienceMs} ms`)), patienceMs);
    socket.on('data', (chunk) => chunks.push(chunk));
    // An early refusal may reset the rest of a long body: what was read counts.
    socket.on('error', (error) => (chunks.length === 0 ? reject(error) : resolve(Buffer.concat(chunks))));
    socket.on('end', () => {
      socket.end();
      resolve(Buffer.concat(chunks));
    });
    socket.on('close', () => {
      clearTimeout(giveUp);
      reject(new Error('the connection was closed without an answer'));
    });
    socket.write(bytes);
  });
}

function parse(raw: Buffer): Omit<WireAnswer, 'timeMs'> {
  const headEnd = raw.indexOf('\r\n\r\n');
  if (headEnd === -1) throw new Error(`the answer is not HTTP: ${raw.toString('latin1').slice(0, 200)}`);
  const [statusLine = '', ...lines] = raw.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const rest = raw.subarray(headEnd + 4);
  if (status >= 100 && status < 200) return parse(rest); // `100 Continue` goes before the answer
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  const isChunked = headers.get('transfer-encoding') === 'chunked';
  const body = isChunked ? withoutChunks(rest) : rest.subarray(0, Number(headers.get('content-length') ?? rest.length));
  return { status, headers, text: body.toString() };
}

function withoutChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (lineEnd === -1 || Number.isNaN(size)) throw new Error('the answer ends amid its chunks');
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
