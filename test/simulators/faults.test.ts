import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../simulators/random.ts';
import {
  charge,
  control,
  faultReport,
  inject,
  isUnanswered,
  lookUp,
  movements,
  outcomeOf,
  parking,
  startWorld,
  until,
} from './harness.ts';

describe('a fault on a charge', () => {
  test.for([
    ['429', 429, 0],
    ['503', 503, 0],
    ['500_before', 500, 0],
    ['reset', 'ECONNRESET', 0],
    ['500_after', 500, 1],
    ['lost_after', 'UND_ERR_SOCKET', 1],
    ['cut_json', 201, 1],
    ['wrong_amount', 201, 1],
    ['slow', 201, 1],
  ] as const)('%s ends as %s (movements: %i), once, and is counted', async ([fault, outcome, committed]) => {
    const world = await startWorld();
    await inject(world, { operation: 'charge', probability: 1, times: 1, fault, delay_ms: 50 });
    expect(await outcomeOf(charge(world, {}, { key: 'k' }))).toBe(outcome);
    expect(await movements(world)).toHaveLength(committed);
    expect((await lookUp(world, 'pay_1')).body).toMatchObject({ charges: committed === 1 ? [{}] : [] });
    // The same key again: nothing was reserved where nothing was committed, the stored charge otherwise.
    const repetition = await charge(world, {}, { key: 'k' });
    expect(repetition.status).toBe(committed === 1 ? 200 : 201);
    expect(repetition.body).toMatchObject({ status: 'approved', amount_minor: '2599' });
    expect(await movements(world)).toHaveLength(1);
    const report = await faultReport(world);
    expect(report.injected).toEqual({ [fault]: 1 });
    expect(report.rules).toMatchObject([{ fault, injected: 1 }]);
    expect(report.served).toMatchObject({ charge: 1, lookup: 1 });
  });

  test('never neither answers nor commits, and reserves nothing', async () => {
    const world = await startWorld();
    await inject(world, { operation: 'charge', times: 1, fault: 'never' });
    const gone = new AbortController();
    const call = charge(world, {}, { key: 'k', signal: gone.signal });
    await until('the fault struck', async () => (await faultReport(world)).injected.never === 1);
    expect(await isUnanswered(call)).toBe(true);
    expect((await charge(world, {}, { key: 'k' })).status).toBe(201);
    expect(await movements(world)).toHaveLength(1);
    gone.abort();
    expect(await outcomeOf(call)).toBe('aborted');
  });

  test('late_commit answers nothing, holds the key, and commits later although the client has gone', async () => {
    const world = await startWorld();
    await inject(world, { operation: 'charge', times: 1, fault: 'late_commit', delay_ms: 400 });
    const gone = new AbortController();
    const call = charge(world, {}, { key: 'k', signal: gone.signal });
    await until('the key is in progress', async () => (await charge(world, {}, { key: 'k' })).status === 409);
    expect(await movements(world)).toEqual([]);
    expect((await faultReport(world)).injected).toEqual({});
    gone.abort();
    expect(await outcomeOf(call)).toBe('aborted');
    await until('the bank committed', async () => (await movements(world)).length === 1);
    expect((await faultReport(world)).injected).toEqual({ late_commit: 1 });
    expect((await charge(world, {}, { key: 'k' })).status).toBe(200);
    expect(await movements(world)).toHaveLength(1);
  });

  test('cut_json sends half a body under a true length, wrong_amount names one minor unit more', async () => {
    const world = await startWorld();
    await inject(world, { times: 1, fault: 'cut_json' }, { times: 1, fault: 'wrong_amount' });
    const cut = await charge(world);
    expect(cut.body).toMatch(/^\{"id":"epc_/);
    expect(Number(cut.headers.get('content-length'))).toBe(String(cut.body).length);
    expect((await charge(world)).body).toMatchObject({ amount_minor: '2600' });
    expect((await movements(world)).map((movement) => movement.amount_minor)).toEqual(['2599', '2599']);
  });

  test('429 names the time to wait in whole seconds', async () => {
    const world = await startWorld();
    await inject(world, { times: 1, fault: '429', delay_ms: 1_200 }, { times: 1, fault: '429' });
    expect((await charge(world)).headers.get('retry-after')).toBe('2');
    expect((await charge(world)).headers.get('retry-after')).toBe('1');
  });

  test('slow commits first and answers after its delay', async () => {
    const world = await startWorld();
    await inject(world, { fault: 'slow', delay_ms: 500 });
    const call = charge(world);
    await until('the bank committed', async () => (await movements(world)).length === 1);
    expect(await isUnanswered(call)).toBe(true);
    expect((await call).status).toBe(201);
  });

  test('strikes a replay too, but no replay commits late', async () => {
    const world = await startWorld();
    await charge(world, {}, { key: 'k' });
    await inject(world, { fault: 'late_commit' }, { fault: 'lost_after', times: 1 });
    expect(await outcomeOf(charge(world, {}, { key: 'k' }))).toBe('UND_ERR_SOCKET');
    expect((await charge(world, {}, { key: 'k' })).status).toBe(200);
    expect(await movements(world)).toHaveLength(1);
    expect((await faultReport(world)).injected).toEqual({ lost_after: 1 });
  });

  test('is not counted when the client went away before the answer could be damaged', async () => {
    const world = await startWorld();
    await inject(world, { fault: 'wrong_amount' });
    await control(world, 'PUT', '/park/easypay', { operation: 'charge', point: 'after_commit' });
    const gone = new AbortController();
    const call = charge(world, {}, { key: 'k', signal: gone.signal });
    await until('the bank committed', async () => (await movements(world)).length === 1);
    gone.abort();
    expect(await outcomeOf(call)).toBe('aborted');
    // Round trips through the same process: after them it has seen the connection end.
    for (let trip = 0; trip < 3; trip += 1) await control(world, 'GET', '/health');
    await control(world, 'DELETE', '/park/easypay');
    await control(world, 'DELETE', '/faults/easypay');
    await until('the call ended', async () => (await charge(world, {}, { key: 'k' })).status === 200);
    expect((await faultReport(world)).injected).toEqual({});
  });
});

describe('a fault on a look-up', () => {
  test.for([
    ['429', 429],
    ['503', 503],
    ['500_before', 500],
    ['reset', 'ECONNRESET'],
    ['cut_json', 200],
    ['slow', 200],
  ] as const)('%s ends as %s and leaves charges alone', async ([fault, outcome]) => {
    const world = await startWorld();
    await inject(world, { operation: 'lookup', times: 1, fault, delay_ms: 20 });
    expect((await charge(world)).status).toBe(201);
    expect(await outcomeOf(lookUp(world, 'pay_1'))).toBe(outcome);
    expect((await lookUp(world, 'pay_1')).body).toMatchObject({ charges: [{ reference: 'pay_1' }] });
    expect(await faultReport(world)).toMatchObject({ injected: { [fault]: 1 }, served: { charge: 1, lookup: 1 } });
  });

  test('never leaves the caller waiting', async () => {
    const world = await startWorld();
    await inject(world, { operation: 'lookup', fault: 'never' });
    const gone = new AbortController();
    const call = lookUp(world, 'pay_1', gone.signal);
    await until('the fault struck', async () => (await faultReport(world)).injected.never === 1);
    expect(await isUnanswered(call)).toBe(true);
    gone.abort();
    expect(await outcomeOf(call)).toBe('aborted');
  });

  test('that only a commit can suffer is passed over under "*" and refused under "lookup"', async () => {
    const world = await startWorld();
    await inject(world, { operation: '*', fault: 'lost_after' });
    expect((await lookUp(world, 'pay_1')).status).toBe(200);
    const rules = [{ operation: 'lookup', fault: 'lost_after' }];
    const refused = await control(world, 'PUT', '/faults/easypay', { seed: 1, rules });
    expect(refused.body).toMatchObject({ error: { field: 'rules.0.fault' } });
  });
});

describe('refuse', () => {
  test('closes the port at once, keeps control up, and healing opens it on the same number', async () => {
    const world = await startWorld();
    expect((await charge(world, {}, { key: 'k' })).status).toBe(201);
    await inject(world, { operation: 'lookup', probability: 0, fault: 'refuse' });
    expect(await outcomeOf(charge(world))).toBe('ECONNREFUSED');
    expect(await outcomeOf(charge(world))).toBe('ECONNREFUSED');
    expect((await faultReport(world)).injected).toEqual({ refuse: 1 });
    expect((await control(world, 'GET', '/health')).status).toBe(200);
    await control(world, 'DELETE', '/faults/easypay');
    expect((await charge(world, {}, { key: 'k' })).status).toBe(200);
    expect(await movements(world)).toHaveLength(1);
  });

  test('cuts a connection that was opened before and has asked nothing', async () => {
    const world = await startWorld();
    const socket = connect(Number(new URL(world.easypay).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let isCut = false;
    socket.on('end', () => (isCut = true));
    await once(socket, 'connect');
    await charge(world);
    socket.resume();
    expect(isCut).toBe(false);
    await inject(world, { fault: 'refuse' });
    await until('the connection is cut', () => isCut);
  });

  test('ends with a plan that does not name it, and comes back with one that does', async () => {
    const world = await startWorld();
    for (const attempt of ['first', 'second', 'third']) {
      await inject(world, { fault: 'refuse' });
      expect(await outcomeOf(charge(world))).toBe('ECONNREFUSED');
      await inject(world, { fault: '500_before', times: 1 });
      expect(await outcomeOf(charge(world, {}, { key: attempt }))).toBe(500);
      expect(await outcomeOf(charge(world, {}, { key: attempt }))).toBe(201);
    }
    expect(await movements(world)).toHaveLength(3);
  });

  test('lets a call under way finish', async () => {
    const world = await startWorld();
    await control(world, 'PUT', '/park/easypay', { operation: 'charge', point: 'before_commit' });
    const call = charge(world);
    await until('the call is parked', async () => (await parking(world)).parked.length === 1);
    await inject(world, { fault: 'refuse' });
    await control(world, 'DELETE', '/park/easypay');
    const reply = await call;
    expect(reply.status).toBe(201);
    expect(reply.headers.get('connection')).toBe('close');
    expect(await outcomeOf(charge(world))).toBe('ECONNREFUSED');
  });

  test('is steered by 20 changes at one moment without losing the port', async () => {
    const world = await startWorld();
    const changes = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0 ? inject(world, { fault: 'refuse' }) : control(world, 'DELETE', '/faults/easypay'),
    );
    await Promise.all(changes);
    await control(world, 'DELETE', '/faults/easypay');
    expect((await charge(world)).status).toBe(201);
  });
});

describe('the rules', () => {
  test('with the same seed decide the same, with another seed otherwise', async () => {
    const world = await startWorld();
    const run = async (seed: number) => {
      const rules = [
        { operation: 'charge', probability: 0.3, fault: '503' },
        { operation: '*', probability: 0.5, fault: '429' },
      ];
      await control(world, 'PUT', '/faults/easypay', { seed, rules });
      const outcomes: (number | string)[] = [];
      for (let index = 0; index < 30; index += 1) outcomes.push(await outcomeOf(charge(world)));
      return outcomes;
    };
    const first = await run(42);
    expect(new Set(first)).toEqual(new Set([201, 429, 503]));
    expect(await run(42)).toEqual(first);
    expect(await run(43)).not.toEqual(first);
  });

  test('are tried in order, each as often as it may', async () => {
    const world = await startWorld();
    await inject(world, { times: 2, fault: '503' }, { times: 1, fault: '429' }, { probability: 0, fault: 'reset' });
    const outcomes: (number | string)[] = [];
    for (let index = 0; index < 4; index += 1) outcomes.push(await outcomeOf(charge(world)));
    expect(outcomes).toEqual([503, 503, 429, 201]);
    expect((await faultReport(world)).rules.map((rule) => rule.injected)).toEqual([2, 1, 0]);
  });

  test('are gone after healing while the counts stay until the next plan', async () => {
    const world = await startWorld();
    await inject(world, { fault: '503' });
    await charge(world);
    await control(world, 'DELETE', '/faults/easypay');
    expect((await charge(world)).status).toBe(201);
    expect(await faultReport(world)).toMatchObject({ rules: [], injected: { '503': 1 }, served: { charge: 1 } });
    await inject(world);
    expect(await faultReport(world)).toMatchObject({ injected: {}, served: { charge: 0 } });
  });
});

test('the dice are even and stay within their bounds', () => {
  const roll = seededRandom(7);
  const rolls = Array.from({ length: 10_000 }, roll);
  expect(rolls.every((value) => value >= 0 && value < 1)).toBe(true);
  const mean = rolls.reduce((sum, value) => sum + value, 0) / rolls.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
});
