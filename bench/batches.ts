import { setTimeout as pause } from 'node:timers/promises';
import { callApi } from '../test/support/api-call.ts';
import type { TestMerchant, World } from '../test/support/world.ts';
import { cpuBetween, readCpu, type Watched } from './cpu.ts';
import { paymentTarget } from './kinds.ts';
import type { Options } from './options.ts';
import { type Kind, ofRounds, type Round, type Row, type Say, takeRound } from './rounds.ts';
import { countPayments } from './seed.ts';
import type { Stage } from './stage.ts';

/** How a batch stands, as far as this benchmark looks. */
interface BatchObject {
  readonly id: string;
  readonly status: string;
  readonly rows: { readonly started: number };
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

const lookEveryMs = 100;
const headStartMs = 1_000;

/**
 * How fast a batch starts subscriptions, beside the floor's workflows; and payments that somebody waits for, without a batch and
 * while one runs that is longer than they are. The subscriptions' first billing date is a month away: what is measured is the start.
 */
export async function measureBatches(stage: Stage, { plan }: Options, say: Say): Promise<Row[]> {
  const { world, floor, watched } = stage;
  const merchant = await world.createMerchant();
  const planId = await createPlan(world, merchant);
  const file = (rows: number) => fileOf(planId, rows);
  const { rows, beside } = plan.batches;
  const paying: Kind = { name: 'payment', target: paymentTarget(world.apiUrl, merchant.testKey) };
  const flooring: Kind = { name: 'floor', target: floor.target };
  say('warming up: floor, payment, batch');
  for (const kind of [flooring, paying]) await takeRound(kind, { clients: 24, requests: plan.warmUps }, watched);
  await finished(world, merchant, await start(world, merchant, file(plan.warmUps)));

  const taken: Record<'floor' | 'batch' | 'payment' | 'beside', Round[]> = {
    floor: [],
    batch: [],
    payment: [],
    beside: [],
  };
  const stored = await countPayments(world);
  for (let number = 1; number <= plan.rounds; number++) {
    taken.floor.push(await takeRound(flooring, plan.together, watched));
    taken.batch.push(await batchRound(world, merchant, file(rows), rows, watched));
    taken.payment.push(await takeRound(paying, beside, watched));
    taken.beside.push(await besideRound(world, merchant, file(rows * 5), () => takeRound(paying, beside, watched)));
    for (const [kind, rounds] of Object.entries(taken)) {
      const last = rounds.at(-1);
      say(`${kind}, round ${number}: ${last?.rate.toFixed(1)}/s, p95 ${last?.p95Ms.toFixed(1)} ms`);
    }
  }
  const clientsOf = { floor: plan.together.clients, batch: 0, payment: beside.clients, beside: beside.clients };
  return (['floor', 'batch', 'payment', 'beside'] as const).map((kind) => ({
    part: 'batches',
    kind,
    clients: clientsOf[kind],
    stored,
    ...ofRounds(taken[kind]),
  }));
}

/** A file of so many rows, from when the batch began to run until its last row was accepted. */
async function batchRound(
  world: World,
  merchant: TestMerchant,
  file: string,
  rows: number,
  watched: Watched,
): Promise<Round> {
  const before = readCpu(watched);
  const batch = await finished(world, merchant, await start(world, merchant, file));
  const after = readCpu(watched);
  if (batch.rows.started !== rows) throw new Error(`the batch started ${batch.rows.started} of ${rows} rows`);
  const seconds = (Date.parse(batch.finished_at ?? '') - Date.parse(batch.started_at ?? '')) / 1000;
  const cpu = before === null || after === null ? null : cpuBetween(before, after, rows);
  return { requests: rows, seconds, p50Ms: 0, p95Ms: 0, p99Ms: 0, rate: rows / seconds, drainMs: 0, cpu };
}

/** A round of something else while a batch runs all the time; what is left of the batch is canceled. */
async function besideRound(
  world: World,
  merchant: TestMerchant,
  file: string,
  round: () => Promise<Round>,
): Promise<Round> {
  const id = await start(world, merchant, file);
  await pause(headStartMs);
  const before = await read(world, merchant, id);
  const since = performance.now();
  const taken = await round();
  const after = await read(world, merchant, id);
  const seconds = (performance.now() - since) / 1000;
  if (after.status !== 'running') throw new Error(`the batch was ${after.status} before the payments were over`);
  await callApi(world.apiUrl, merchant.testKey, { method: 'POST', path: `/api/v1/batches/${id}/cancel`, body: {} });
  await finished(world, merchant, id);
  return { ...taken, batchRate: (after.rows.started - before.rows.started) / seconds };
}

async function createPlan(world: World, merchant: TestMerchant): Promise<string> {
  const body = {
    name: 'Bench',
    amount: '9.00',
    currency: 'EUR',
    interval: { unit: 'month', count: 1 },
    trial_days: 30,
  };
  const answer = await callApi<{ data: { id: string } }>(world.apiUrl, merchant.testKey, {
    method: 'POST',
    path: '/api/v1/plans',
    body,
  });
  if (answer.status !== 201) throw new Error(`the plan was answered ${JSON.stringify(answer.problem)}`);
  return answer.body.data.id;
}

function fileOf(planId: string, rows: number): string {
  const header = 'key,customer_id,plan_id,payment_method.type,payment_method.card_token\n';
  const lines = Array.from({ length: rows }, (_, row) => `r${row},payer-${row},${planId},credit_card,tok_visa_4242`);
  return `${header}${lines.join('\n')}\n`;
}

/** Each file is another reference's: nothing in it was started before. */
async function start(world: World, { testKey }: TestMerchant, file: string): Promise<string> {
  const reference = `bench-${performance.now()}`;
  const response = await fetch(`${world.apiUrl}/api/v1/batches?kind=subscriptions&reference=${reference}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testKey}`, 'content-type': 'text/csv' },
    body: file,
  });
  const text = await response.text();
  if (response.status !== 202) throw new Error(`the batch was answered ${response.status}: ${text.slice(0, 500)}`);
  return (JSON.parse(text) as { data: BatchObject }).data.id;
}

async function read(world: World, merchant: TestMerchant, id: string): Promise<BatchObject> {
  const answer = await callApi<{ data: BatchObject }>(world.apiUrl, merchant.testKey, {
    method: 'GET',
    path: `/api/v1/batches/${id}`,
  });
  if (answer.status !== 200) throw new Error(`the batch was answered ${JSON.stringify(answer.problem)}`);
  return answer.body.data;
}

async function finished(world: World, merchant: TestMerchant, id: string): Promise<BatchObject> {
  for (;;) {
    const batch = await read(world, merchant, id);
    if (batch.finished_at !== null) return batch;
    await pause(lookEveryMs);
  }
}
