import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchPriority } from '../../workflows/subscription-contract.ts';
import { testClockStartOptions } from '../../workflows/test-clock-contract.ts';
import { type Engine, startEngine } from './engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const { priority: priorityOfClocks } = testClockStartOptions({ clockId: 'clk_1', merchantId: 'mer_clocks' });

test('somebody at a checkout goes before all batches, and a small batch waits neither for the end of a large one nor for clocks', async () => {
  const taskQueue = `turns-${randomUUID()}`; // nobody works on it: all of it waits
  const start = async (name: string, priority?: ReturnType<typeof batchPriority>) => {
    const options = { taskQueue, workflowId: `${name}-${randomUUID()}`, ...(priority && { priority }) };
    await engine.client.workflow.start('turn', options);
  };
  for (let row = 0; row < 40; row++) await start('large', batchPriority('mer_large'));
  for (let clock = 0; clock < 20; clock++) await start('clocks', priorityOfClocks);
  for (let row = 0; row < 4; row++) await start('small', batchPriority('mer_small'));
  await start('checkout');

  const turns: string[] = [];
  while (turns.length < 65) {
    const { workflowExecution } = await engine.client.withDeadline(Date.now() + 10_000, () =>
      engine.client.workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue: { name: taskQueue } }),
    );
    turns.push(workflowExecution?.workflowId?.split('-')[0] ?? 'nothing');
  }
  expect(turns[0]).toBe('checkout');
  expect(turns.filter((name) => name === 'small')).toHaveLength(4);
  expect(turns.lastIndexOf('small')).toBeLessThan(20); // in turn with the others, not after their sixty
});
