import { expect, test } from 'vitest';
import { charge, control, movements, send, startWorld } from './harness.ts';

const rule = { operation: 'charge', probability: 1, fault: 'reset' };

test.for([
  ['/faults/easypay', { seed: 'x', rules: [] }, 'seed'],
  ['/faults/easypay', { seed: 1 }, 'rules'],
  ['/faults/easypay', { seed: 1, rules: [{ ...rule, fault: 'explode' }] }, 'rules.0.fault'],
  ['/faults/easypay', { seed: 1, rules: [rule, { ...rule, probability: 1.5 }] }, 'rules.1.probability'],
  ['/faults/easypay', { seed: 1, rules: [{ ...rule, operation: 7 }] }, 'rules.0.operation'],
  ['/faults/easypay', { seed: 1, rules: [{ ...rule, times: 0 }] }, 'rules.0.times'],
  ['/faults/easypay', { seed: 1, rules: [{ ...rule, delay_ms: -1 }] }, 'rules.0.delay_ms'],
  ['/faults/easypay', { seed: 1, rules: [{ ...rule, delay: 5 }] }, 'rules.0.delay'],
  ['/faults/easypay', { seed: 1, rules: [], more: 1 }, 'more'],
  ['/faults/easypay', [], 'body'],
  ['/park/easypay', { operation: 'charge' }, 'point'],
  ['/park/easypay', { operation: '', point: 'before_commit' }, 'operation'],
  ['/park/easypay', { operation: 'charge', point: 'during' }, 'point'],
  ['/park/easypay', { operation: 'charge', point: 'before_commit', reference: '' }, 'reference'],
] as const)('PUT %s %o is refused by the name of its field and changes nothing', async ([path, body, field]) => {
  const world = await startWorld();
  const before = await control(world, 'GET', path);
  const reply = await control(world, 'PUT', path, body);
  expect(reply.status).toBe(400);
  expect(reply.body).toMatchObject({ error: { code: 'invalid_request', field } });
  expect((await control(world, 'GET', path)).body).toEqual(before.body);
});

test.for([
  ['/faults/easypay', { rules: [{ ...rule, operation: 'token' }] }, 'unknown_operation', 'charge, capture'],
  ['/faults/easypay', { rules: [rule, { ...rule, operation: 'create' }] }, 'unknown_operation', 'refund, lookup'],
  ['/faults/paypal', { rules: [{ ...rule, operation: 'send' }] }, 'unknown_operation', 'token, create, charge'],
  ['/faults/mailbox', { rules: [{ ...rule, operation: 'toString' }] }, 'unknown_operation', 'send'],
  ['/faults/easypay', { rules: [{ operation: 'lookup', fault: 'lost_after' }] }, 'fault_not_possible', 'reset, never'],
  ['/faults/paypal', { rules: [{ operation: 'create', fault: 'wrong_amount' }] }, 'fault_not_possible', 'lost_after'],
  ['/faults/paypal', { rules: [{ operation: '*', fault: 'redirect' }] }, 'fault_not_possible', 'wrong_amount'],
  ['/faults/inbox', { rules: [{ operation: '*', fault: 'wrong_amount' }] }, 'fault_not_possible', 'redirect'],
  ['/faults/mailbox', { rules: [{ operation: 'send', fault: 'late_commit' }] }, 'fault_not_possible', 'lost_after'],
  ['/park/easypay', { operation: 'create', point: 'before_commit' }, 'unknown_operation', 'charge, capture, void'],
] as const)('PUT %s %o is refused with what would do, and changes nothing', async ([path, body, code, named]) => {
  const world = await startWorld();
  const before = await control(world, 'GET', path);
  const reply = await control(world, 'PUT', path, body);
  expect(reply.status).toBe(422);
  expect(reply.body).toMatchObject({ error: { code, message: expect.stringContaining(named) } });
  expect((await control(world, 'GET', path)).body).toEqual(before.body);
});

test('a body that is no JSON is refused', async () => {
  const world = await startWorld();
  const headers = { 'content-type': 'application/json' };
  const reply = await send(`${world.control}/faults/easypay`, { method: 'PUT', headers, body: '{"seed":' });
  expect(reply.status).toBe(400);
});

test('an unknown provider and an unknown route are not found', async () => {
  const world = await startWorld();
  for (const path of ['/faults/stripe', '/park/stripe']) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const reply = await control(world, method, path, method === 'PUT' ? { seed: 1, rules: [] } : undefined);
      expect(reply.status).toBe(404);
      expect(reply.body).toMatchObject({ error: { code: 'unknown_provider' } });
    }
  }
  expect((await control(world, 'GET', '/nowhere')).status).toBe(404);
});

test('movements are read on from a sequence number and by reference', async () => {
  const world = await startWorld();
  for (const reference of ['pay_1', 'pay_2', 'pay_1']) await charge(world, { reference });
  expect((await movements(world)).map((movement) => movement.seq)).toEqual([1, 2, 3]);
  expect((await movements(world, '?after=1')).map((movement) => movement.seq)).toEqual([2, 3]);
  expect((await movements(world, '?after=1&reference=pay_1')).map((movement) => movement.seq)).toEqual([3]);
  expect(await movements(world, '?after=99')).toEqual([]);
  for (const query of ['?after=-1', '?after=x', '?after=1.5']) {
    const reply = await control(world, 'GET', `/bank/movements${query}`);
    expect(reply.body).toMatchObject({ error: { field: 'after' } });
  }
});
