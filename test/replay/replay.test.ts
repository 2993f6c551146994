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
  'all-away-then-captured',
  'canceled',
  'captured',
  'decided-later',
  'declined',
  'declined-and-the-other-away',
  'declined-by-all',
  'declined-by-class',
  'delayed',
  'delayed-in-doubt',
  'delivered-later',
  'delivery-given-up',
  'dispatch',
  'expired',
  'external-id-taken',
  'failed-over',
  'lost-answer-then-found',
  'no-eligible-provider',
  'not-found-then-repeated',
  'provider-away-then-captured',
  'rate-limited-then-captured',
  'redriven-by-id-alone',
  'retried-by-an-operator',
  'sweep',
  'unprepared-then-captured',
  'unresolved-then-resolved',
  'worker-killed-in-the-charge',
  'wrong-amount',
];

test('there is a history of every path', () => {
  expect(names).toEqual(expect.arrayContaining(paths.map((path) => `${path}.json`)));
});

describe('a history shows what its path is about:', () => {
  /** Every payload and detail in clear. */
  const wordsOf = (text: string) =>
    [text, ...(text.match(/(?<="data": ")[^"]+/g) ?? []).map((data) => clearTextOf(data))].join('\n');

  test.each<[string, RegExp]>([
    ['all-away-then-captured', /"type": "unavailable"[^]*"attemptNumber":2,"provider":"paypal"/],
    ['declined-and-the-other-away', /payment\.rerouted/],
    ['declined-by-all', /payment\.rerouted[^]*"code":"processing_error"/],
    ['declined-by-class', /payment\.rerouted[^]*"status":"captured"/],
    ['delayed', /payment\.delayed[^]*"status":"captured"/],
    ['delayed-in-doubt', /payment\.delayed[^]*"status":"captured"/],
    ['delivered-later', /"state":"delivered"/],
    ['delivery-given-up', /"state":"failed"/],
    ['failed-over', /"processor":"paypal"/],
    ['no-eligible-provider', /no_eligible_provider/],
    ['retried-by-an-operator', /"isUrgent":true/],
    ['unprepared-then-captured', /unprepared/],
  ])('%s', (name, words) => {
    expect(wordsOf(textOf(`${name}.json`))).toMatch(words);
  });
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

  test('another regular activity of a delivery', async () => {
    const text = textOf('delivered-later.json');
    const changed = text.replaceAll('"name": "deliver"', '"name": "tell"');
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('a payment that goes on where it ended', async () => {
    const text = textOf('failed-over.json');
    const changed = inEveryPayload(text, (clear) => clear.replaceAll('"status":"captured"', '"status":"pending"'));
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('another local activity', async () => {
    const text = textOf('captured.json');
    const changed = inEveryPayload(text, (clear) =>
      clear.replace('"activity_type":"chargePayment"', '"activity_type":"chargeCard"'),
    );
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

/** The same history with every payload changed. */
function inEveryPayload(text: string, change: (clear: string) => string): string {
  return text.replaceAll(/(?<="data": ")[^"]+/g, (data) => {
    const clear = clearTextOf(data);
    const changed = change(clear);
    return changed === clear ? data : Buffer.from(changed).toString('base64');
  });
}
