import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { paymentIdOf } from '../workflows/domain/ids.ts';
import { HelpfulError } from './dev/message.ts';
import { processIdentity } from './dev/process-identity.ts';
import { type DevFile, readDevFile } from './dev/state.ts';

/**
 * `npm run demo`: beside a running `npm start`, makes a payment, kills the worker in the middle of its charge, and shows the
 * same request being answered with the money moved once. Exits with 1 if it were otherwise.
 */
const slowCard = 'tok_visa_slow_3000';
const stepTimeoutMs = 60_000;
const started = performance.now();

function say(line: string): void {
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${line}\n`);
}

async function demo(dev: DevFile): Promise<void> {
  const idempotencyKey = `demo-${randomUUID()}`;
  const id = paymentIdOf({ merchantId: dev.merchant_id, isTest: true, idempotencyKey });
  say(`POST ${dev.api}/api/v1/payments: 25.99 USD with a card whose bank takes 3 seconds`);
  const answering = post(dev, idempotencyKey);
  answering.catch(() => undefined); // looked at below
  await waitFor('the charge is on its way', async () =>
    (await attemptsOf(dev, id)).some(({ state }) => state === 'sent'),
  );
  const worker = workerPid();
  if (worker === null) throw new HelpfulError('dev.json names no worker. Restart `npm start`.');
  process.kill(worker, 'SIGKILL');
  say(`the charge is on its way: killed the worker (kill -9 ${worker})`);
  await waitFor('another worker runs', async () => {
    const next = workerPid();
    return next !== null && next !== worker && processIdentity(next) !== null;
  });
  say('a new worker is there; it finds that something was sent, and asks the provider before anything else');
  const answer = await answering;
  say(`the same request is answered: ${answer.status}, ${JSON.stringify(answer.payment)}`);
  const settled = await waitFor('the payment is settled', () => settledStatus(dev, id));
  const movements = await movementsOf(dev, id);
  for (const movement of movements) say(`the bank's own book: ${JSON.stringify(movement)}`);
  if (settled !== 'captured' || movements.length !== 1) {
    throw new HelpfulError(`Expected one movement and a captured payment, got ${movements.length} and "${settled}".`);
  }
  say('charged once.');
  if (dev.temporal_ui !== null) say(`its story: ${dev.temporal_ui}/namespaces/default/workflows/${id}`);
}

/** The worker of this very moment: it may have been replaced since anything was read, and a pid may be a stranger's then. */
function workerPid(): number | null {
  return readDevFile(dataDir)?.pids['worker'] ?? null;
}

async function post(dev: DevFile, key: string): Promise<{ status: number; payment: unknown }> {
  const response = await fetch(`${dev.api}/api/v1/payments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${dev.api_key}`,
      'content-type': 'application/json',
      'idempotency-key': key,
      prefer: 'wait=60',
    },
    body: JSON.stringify({ amount: '25.99', currency: 'USD', payment_method: 'credit_card', card_token: slowCard }),
  });
  const { data } = (await response.json()) as { data?: { id: string; status: string; amount: string } };
  return { status: response.status, payment: data && { id: data.id, status: data.status, amount: data.amount } };
}

async function attemptsOf(dev: DevFile, id: string): Promise<{ state: string }[]> {
  const found = await read<{ data: { state: string }[] }>(`${dev.api}/api/v1/payments/${id}/attempts`, dev.api_key);
  return found?.data ?? [];
}

async function settledStatus(dev: DevFile, id: string): Promise<string | null> {
  const found = await read<{ data: { status: string } }>(`${dev.api}/api/v1/payments/${id}`, dev.api_key);
  return found === null || found.data.status === 'pending' ? null : found.data.status;
}

async function movementsOf(dev: DevFile, id: string): Promise<{ kind: string }[]> {
  const found = await read<{ movements: { kind: string }[] }>(
    `${dev.simulators}/bank/movements?after=0&reference=${id}`,
  );
  return found?.movements ?? [];
}

/** A JSON answer; null while there is none (the payment is not accepted yet). */
async function read<T>(url: string, apiKey?: string): Promise<T | null> {
  const response = await fetch(url, apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } });
  return response.ok ? ((await response.json()) as T) : null;
}

async function waitFor<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  for (const end = Date.now() + stepTimeoutMs; Date.now() < end; await pause(50)) {
    const seen = await look();
    if (seen !== null && seen !== false) return seen;
  }
  throw new HelpfulError(`Waited ${stepTimeoutMs / 1000} s in vain until ${what}. See .data/logs/.`);
}

const dataDir = process.env['DATA_DIR'] ?? '.data';
try {
  const dev = readDevFile(dataDir);
  if (dev === null) throw new HelpfulError('Nothing runs here. Start everything with `npm start` first.');
  await demo(dev);
} catch (error) {
  process.stderr.write(`${error instanceof HelpfulError ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
