// Signs a request and sends it, with nothing but Node: node sign-request.mjs <method> <url> [body]
// API_KEY and SIGNING_SECRET are read from the environment, and IDEMPOTENCY_KEY if it is there.
import { createHash, createHmac, randomUUID } from 'node:crypto';

const [method = 'GET', address = '', body = ''] = process.argv.slice(2);
const { API_KEY: apiKey, SIGNING_SECRET: secret, IDEMPOTENCY_KEY: idempotencyKey = '' } = process.env;
if (!address || !apiKey || !secret) throw new Error('Give method and URL, and set API_KEY and SIGNING_SECRET.');

const url = new URL(address); // as fetch will send it
const timestamp = String(Math.floor(Date.now() / 1000));
const nonce = randomUUID();
const bodyHash = createHash('sha256').update(body).digest('hex');
const target = url.pathname + url.search;
const signed = ['v1', timestamp, nonce, method, target, idempotencyKey, bodyHash].join('\n');

const response = await fetch(url, {
  method,
  headers: {
    Authorization: `Bearer ${apiKey}`,
    'X-Signature-Timestamp': timestamp,
    'X-Signature-Nonce': nonce,
    'X-Signature': `v1=${createHmac('sha256', secret).update(signed).digest('hex')}`,
    ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }),
    ...(body && { 'Content-Type': 'application/json' }),
  },
  ...(body && { body }),
});
process.stdout.write(`${response.status}\n${await response.text()}\n`);
