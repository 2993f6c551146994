import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, test } from 'vitest';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';

const folder = join(import.meta.dirname, 'histories');
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');

let codePath: string;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), shutdownSignals: [] });
  codePath = await workflowBundlePath();
});

async function replay(text: string): Promise<void> {
  const [, workflowId] = /"workflowId": "([^"]+)"/.exec(text) ?? [];
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, JSON.parse(text), workflowId);
}

const paths = [
  'canceled',
  'captured',
  'decided-later',
  'declined',
  'expired',
  'external-id-taken',
  'lost-answer-then-found',
  'not-found-then-repeated',
  'provider-away-then-captured',
  'rate-limited-then-captured',
  'redriven-by-id-alone',
  'sweep',
  'unresolved-then-resolved',
  'worker-killed-in-the-charge',
  'wrong-amount',
];

test('there is a history of every path', () => {
  expect(names).toEqual(expect.arrayContaining(paths.map((path) => `${path}.json`)));
});

describe('the current workflows replay what earlier ones recorded:', () => {
  test.each(names)('%s', async (name) => {
    await replay(textOf(name));
  });
});

describe('a change that open payments cannot follow is noticed:', () => {
  test('another regular activity', async () => {
    const text = textOf('provider-away-then-captured.json');
    const changed = text.replaceAll('"name": "chargePayment"', '"name": "chargeCard"');
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('another local activity', async () => {
    const text = textOf('captured.json');
    const changed = text.replaceAll(/(?<="data": ")[^"]+/g, (data) => {
      const clear = clearTextOf(data);
      const marker = clear.replace('"activity_type":"chargePayment"', '"activity_type":"chargeCard"');
      return marker === clear ? data : Buffer.from(marker).toString('base64');
    });
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });
});

describe('a history tells no secret, and nothing of the payer or the machine it was recorded on:', () => {
  const forbidden = [
    /po_(test|live|operator)_/,
    /@[a-z]+\.[a-z]/i,
    /"customer(Name|Email)":"/,
    /\/(home|work|root|Users|tmp)\//,
    /file:\/\//,
    /binary\/encrypted/,
  ];

  test.each(names)('%s', (name) => {
    const text = textOf(name);
    const encoded = text.match(/(?<="(data|encoding)": ")[^"]+/g) ?? [];
    expect(encoded.length).toBeGreaterThan(0);
    for (const clear of [text, ...encoded.map(clearTextOf)]) {
      for (const pattern of forbidden) expect(clear).not.toMatch(pattern);
    }
  });
});

function clearTextOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}
