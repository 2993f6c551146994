import { execFile, spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test as fileTest } from 'vitest';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { giveSigningSecret } from '../support/signing.ts';

const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));
const examples = new URL('../../examples/sign-request/', import.meta.url).pathname;
const snippets = [
  { language: 'Node', command: [process.execPath, `${examples}sign-request.mjs`], needs: [] },
  { language: 'Python', command: ['python3', `${examples}sign-request.py`], needs: ['python3'] },
  { language: 'bash', command: ['bash', `${examples}sign-request.sh`], needs: ['bash', 'openssl', 'curl'] },
];
const isThere = (program: string) => spawnSync(program, ['version']).error === undefined;

const { database, api } = apiUnderTest({ secretBox });
let apiKey: string;
let secret: string;
beforeAll(async () => {
  apiKey = await api.keyFor(`mer_${randomUUID()}`);
  secret = await giveSigningSecret(database, secretBox, apiKey);
});

interface Printed {
  readonly status: number;
  readonly body: { readonly code?: string; readonly data: Record<string, unknown> };
}

async function runSnippet(
  [program = '', file = '']: readonly string[],
  args: readonly string[],
  signingSecret: string,
  others: Record<string, string> = {},
): Promise<Printed> {
  const env = { PATH: process.env['PATH'], LANG: 'C', API_KEY: apiKey, SIGNING_SECRET: signingSecret, ...others };
  const { stdout } = await promisify(execFile)(program, [file, ...args], { env });
  const [status = '', ...body] = stdout.split('\n');
  return { status: Number(status), body: JSON.parse(body.join('\n')) as Printed['body'] };
}

/** Hands requests on to the API, after changing what was signed. Returns where it listens. */
async function tamperer(
  change: (target: string, body: string) => { target: string; body: string },
  idempotencyKey?: string,
) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { target, body } = change(request.url ?? '', Buffer.concat(chunks).toString());
      const { host: _host, 'content-length': _length, connection: _connection, ...sent } = request.headers;
      const kept = { ...sent, ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }) };
      const headers = Object.entries(kept).map(([name, value]): [string, string] => [name, String(value)]);
      fetch(`${api.url}${target}`, { method: request.method ?? 'GET', headers, ...(body !== '' && { body }) })
        .then(async (answer) => response.writeHead(answer.status).end(await answer.text()))
        .catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

const body = (description: string) => JSON.stringify({ url: 'https://shop.example.com/hooks?a=b', description });
const webhooksStored = async () => (await database.admin.query('SELECT id FROM webhook_endpoints')).rowCount;

describe.each(snippets)('the snippet in $language (needs $needs)', ({ command, needs }) => {
  const test = fileTest.skipIf(!needs.every(isThere));

  test('signs a body that is not ASCII', async () => {
    const description = 'Käse & "Brötchen" 漢字 🧀 100%\\';
    const made = await runSnippet(command, ['POST', `${api.url}/api/v1/webhooks`, body(description)], secret);
    expect(made).toMatchObject({ status: 201, body: { data: { description } } });
  });

  test('signs a query as it is sent', async () => {
    const query = 'limit=2&created_from=2026-01-31T12:00:00%2B01:00&external_id=K%C3%A4se%20%5B1-2%5D';
    const read = await runSnippet(command, ['GET', `${api.url}/api/v1/payments?${query}#fragment`], secret);
    expect(read).toMatchObject({ status: 200, body: { data: [] } });
  });

  test('is refused when its body is changed on the way, and nothing is stored', async () => {
    const before = await webhooksStored();
    const way = await tamperer((target, sent) => ({ target, body: sent.replace('hooks', 'h0oks') }));
    const refused = await runSnippet(command, ['POST', `${way.url}/api/v1/webhooks`, body('é')], secret);
    way.close();
    expect(refused).toMatchObject({ status: 401, body: { code: 'signature_refused' } });
    expect(await webhooksStored()).toBe(before);
  });

  test('sends an idempotency key: repeated, with another signature, it is the same request', async () => {
    const args = ['POST', `${api.url}/api/v1/webhooks`, body('keyed')];
    const key = { IDEMPOTENCY_KEY: `"order 17 of ${command.at(-1)?.split('.').at(-1)}"` };
    const made = await runSnippet(command, args, secret, key);
    const again = await runSnippet(command, args, secret, key);
    expect([made.status, again.status]).toEqual([201, 201]);
    expect(again.body.data['id']).toBe(made.body.data['id']);
  });

  test('is refused when its idempotency key is changed on the way, and nothing is stored', async () => {
    const before = await webhooksStored();
    const way = await tamperer((target, sent) => ({ target, body: sent }), 'order-18');
    const args = ['POST', `${way.url}/api/v1/webhooks`, body('é')];
    for (const key of [{ IDEMPOTENCY_KEY: 'order-17' }, {}])
      expect(await runSnippet(command, args, secret, key)).toMatchObject({
        status: 401,
        body: { code: 'signature_refused' },
      });
    way.close();
    expect(await webhooksStored()).toBe(before);
  });

  test('is refused when its query is changed on the way', async () => {
    const way = await tamperer((target, sent) => ({ target: target.replace('limit=2', 'limit=3'), body: sent }));
    const refused = await runSnippet(command, ['GET', `${way.url}/api/v1/payments?limit=2`], secret);
    way.close();
    expect(refused).toMatchObject({ status: 401, body: { code: 'signature_refused' } });
  });

  test('is refused with another secret', async () => {
    const refused = await runSnippet(command, ['GET', `${api.url}/api/v1/payments`], `${secret}0`);
    expect(refused).toMatchObject({ status: 401, body: { code: 'signature_refused' } });
  });
});
