import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, test } from 'vitest';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';

const folder = join(import.meta.dirname, 'histories');
/** Those in `earlier/` were recorded by earlier versions, most of them before payments had a life after their charge. */
const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
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
  'batch-canceled',
  'batch-completed',
  'batch-paused-throttled-resumed',
  'canceled',
  'canceled-between-rounds',
  'canceled-in-doubt-then-voided',
  'capture-decided-later',
  'capture-declined-then-voided',
  'capture-expired-then-voided',
  'capture-lost-then-found',
  'capture-not-found-then-repeated',
  'capture-redriven-by-id-alone',
  'capture-retried-by-an-operator',
  'capture-unresolved-then-resolved',
  'captured',
  'captured-by-an-operator',
  'captured-in-parts-then-voided',
  'cleanup',
  'clock-advanced',
  'clock-kept-waiting-then-asked',
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
  'payer-approved',
  'payer-approved-a-reservation',
  'payer-approved-and-came-back',
  'payer-canceled',
  'payer-declined',
  'payer-too-late',
  'payer-too-late-and-unresolved',
  'provider-away-then-captured',
  'rate-limited-then-captured',
  'redriven-by-id-alone',
  'refund-decided-later',
  'refund-declined',
  'refund-expired',
  'refund-lost-then-found',
  'refund-not-found-then-repeated',
  'refund-redriven-by-id-alone',
  'refund-refused',
  'refund-retried-by-an-operator',
  'refund-unresolved-then-resolved',
  'refund-unresolved-then-resolved-as-failed',
  'refunded',
  'retried-by-an-operator',
  'subscription-after-it-continued-as-new',
  'subscription-before-it-continued-as-new',
  'subscription-canceled-at-the-period-s-end',
  'subscription-canceled-with-a-refund',
  'subscription-changed-at-the-period-s-end',
  'subscription-changed-now',
  'subscription-completed',
  'subscription-declined-then-retried-then-paid',
  'subscription-of-a-trial-with-a-fee',
  'subscription-paid-by-another-method-in-dunning',
  'subscription-paused-and-resumed',
  'subscription-paused-until-a-date-and-shifted',
  'subscription-redriven-by-ids-alone',
  'subscription-refused',
  'subscription-renewed',
  'subscription-retried-by-an-operator',
  'subscription-skipped-by-an-operator',
  'subscription-that-starts-later',
  'subscription-unpaid-then-canceled',
  'subscription-unpaid-then-paid',
  'subscription-unpaid-then-paused',
  'subscription-whose-change-was-declined',
  'subscription-whose-charge-was-found-running',
  'subscription-whose-date-an-operator-moved',
  'sweep',
  'told-against-what-was-resolved',
  'told-of-a-closed-payment',
  'told-of-a-closed-refund',
  'told-of-a-void-of-a-closed-payment',
  'told-of-an-open-payment',
  'told-of-an-unresolved-payment',
  'tried-again-by-an-operator',
  'tried-again-later',
  'unprepared-then-captured',
  'unresolved-then-resolved',
  'void-unresolved-then-resolved',
  'voided',
  'voided-when-its-time-was-over',
  'worker-killed-in-the-capture',
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
    ['batch-canceled', /"name": "startBatchRows"[^]*"name": "endBatch"[^]*"status":"canceled"/],
    ['batch-completed', /"name": "startBatchRows"[^]*"name": "endBatch"[^]*"started":20/],
    [
      'batch-paused-throttled-resumed',
      /paused: operator:recorder[^]*at most all a second: operator:recorder[^]*running: operator:recorder/,
    ],
    ['cleanup', /"name": "cleanUp"[^]*"refreshTokens":0/],
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
    ['canceled-between-rounds', /payment\.retry_scheduled[^]*"status":"canceled"/],
    ['canceled-in-doubt-then-voided', /"name": "askProvider"[^]*pending → authorized[^]*void pending → succeeded/],
    ['capture-declined-then-voided', /capture pending → failed[^]*void pending → succeeded/],
    [
      'capture-expired-then-voided',
      /capture pending → failed[^]*"code":"provider_unavailable"[^]*void pending → succeeded/,
    ],
    ['capture-retried-by-an-operator', /"name": "sendMovement"[^]*"isUrgent":true/],
    ['capture-unresolved-then-resolved', /capture pending → unresolved[^]*capture unresolved → succeeded/],
    ['captured-in-parts-then-voided', /(capture pending → succeeded[^]*){2}void pending → succeeded/],
    ['payer-approved', /"status":"requires_action"[^]*"status":"captured"/],
    ['payer-approved-and-came-back', /"signalName": "payerReturned"/],
    ['payer-canceled', /pending → requires_action[^]*void pending → succeeded/],
    ['payer-declined', /"status":"requires_action"[^]*"status":"failed"/],
    ['payer-too-late', /TIMER_FIRED[^]*pending → requires_action[^]*void pending → succeeded/],
    ['refund-declined', /refund pending → failed/],
    ['refund-lost-then-found', /"name": "askMovement"[^]*refund pending → succeeded/],
    ['refund-refused', /"refused":"amount_exceeds_refundable"/],
    ['refund-unresolved-then-resolved', /refund pending → unresolved[^]*refund unresolved → succeeded/],
    ['sweep', /"name": "resumeSubscriptions"[^]*"name": "resumeTestClocks"[^]*"name": "resumeBatches"/],
    ['told-against-what-was-resolved', /"signalName": "providerEventReceived"[^]*"discrepancies":1/],
    ['told-of-a-closed-payment', /"signalName": "providerEventReceived"[^]*"name": "reconcile"/],
    ['told-of-an-open-payment', /"signalName": "providerEventReceived"[^]*"kind":"capture"/],
    ['subscription-after-it-continued-as-new', /"continuedExecutionRunId": "[^]*"cyclesBilled":2/],
    ['subscription-before-it-continued-as-new', /CONTINUED_AS_NEW/],
    ['subscription-canceled-at-the-period-s-end', /"when":"period_end"[^]*step: end term[^]*"isOver":true/],
    ['subscription-canceled-with-a-refund', /"name": "refundWorkflow"[^]*step: settle refunds/],
    ['subscription-changed-at-the-period-s-end', /"effective":"period_end"[^]*62\.00 USD every month/],
    ['subscription-changed-now', /15\.50 USD: paid[^]*62\.00 USD every month/],
    ['subscription-completed', /step: complete[^]*"status":"completed"/],
    ['subscription-declined-then-retried-then-paid', /"status":"past_due"[^]*step: retry charge[^]*31\.00 USD: paid/],
    ['subscription-of-a-trial-with-a-fee', /step: bill sign up fee[^]*5\.00 USD: paid[^]*31\.00 USD: paid/],
    ['subscription-paid-by-another-method-in-dunning', /"status":"past_due"[^]*wish: change[^]*31\.00 USD: paid/],
    ['subscription-paused-and-resumed', /wish: pause[^]*"status":"paused"[^]*wish: resume[^]*"status":"active"/],
    ['subscription-paused-until-a-date-and-shifted', /"anchor":"shift"[^]*step: end pause[^]*2027-03-02T10/],
    ['subscription-refused', /"refused":"not_found"/],
    ['subscription-renewed', /(step: open period[^]*){3}/],
    ['subscription-retried-by-an-operator', /wish: retry now[^]*31\.00 USD: paid/],
    ['subscription-skipped-by-an-operator', /TIMER_CANCELED[^]*wish: skip/],
    ['subscription-that-starts-later', /TIMER_FIRED[^]*31\.00 USD: paid/],
    ['subscription-unpaid-then-canceled', /step: retry charge[^]*step: end dunning[^]*"status":"canceled"/],
    ['subscription-unpaid-then-paid', /step: end dunning[^]*"status":"unpaid"[^]*31\.00 USD: paid/],
    ['subscription-unpaid-then-paused', /step: end dunning[^]*"status":"paused"/],
    ['subscription-whose-change-was-declined', /15\.50 USD: insufficient_funds/],
    [
      'subscription-whose-charge-was-found-running',
      /CHILD_WORKFLOW_EXECUTION_FAILED[^]*"name": "awaitPayment"[^]*31\.00/,
    ],
    ['subscription-whose-date-an-operator-moved', /TIMER_FIRED[^]*wish: move date[^]*31\.00 USD: paid/],
    ['tried-again-later', /payment\.retry_scheduled[^]*"status":"captured"/],
    ['unprepared-then-captured', /unprepared/],
    ['void-unresolved-then-resolved', /void pending → unresolved[^]*void unresolved → succeeded/],
    ['voided-when-its-time-was-over', /TIMER_FIRED[^]*void pending → succeeded/],
  ])('%s', (name, words) => {
    expect(wordsOf(textOf(`${name}.json`))).toMatch(words);
  });
});

/** So many events, however badly a run goes: each is kept, and replayed by a worker that takes the run over. */
const eventsMax = 100;
/** Those of a subscription go on for so many steps before they continue as new. */
const eventsOfLongRunMax = 1_000;

test.each(names)('the history of %s is short', (name) => {
  const isLong = name.includes('before-it-continued-as-new');
  expect(textOf(name).match(/"eventId": "/g)?.length).toBeLessThanOrEqual(isLong ? eventsOfLongRunMax : eventsMax);
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

  test('another regular activity of a refund', async () => {
    const text = textOf('refund-lost-then-found.json');
    const changed = text.replaceAll('"name": "askMovement"', '"name": "askForIt"');
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('a reservation that stays open where it was voided', async () => {
    const text = textOf('voided-when-its-time-was-over.json');
    const changed = inEveryPayload(text, (clear) =>
      clear
        .replaceAll('"voidedMinor":"2599"', '"voidedMinor":"0"')
        .replaceAll('"status":"canceled"', '"status":"authorized"'),
    );
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

  test('another local activity of a subscription', async () => {
    const text = textOf('subscription-renewed.json');
    const changed = inEveryPayload(text, (clear) =>
      clear.replace('"activity_type":"stepSubscription"', '"activity_type":"stepOn"'),
    );
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('another payment than the one that was charged', async () => {
    const text = textOf('subscription-renewed.json');
    const changed = inEveryPayload(text, (clear) =>
      clear.replaceAll('"charge":{"paymentId":"pay_', '"charge":{"paymentId":"pay_x'),
    );
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('a subscription that goes on where it ended', async () => {
    const text = textOf('subscription-completed.json');
    const changed = inEveryPayload(text, (clear) => clear.replaceAll('"isOver":true', '"isOver":false'));
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('a refund of a subscription that is not made', async () => {
    const text = textOf('subscription-canceled-with-a-refund.json');
    const changed = inEveryPayload(text, (clear) => clear.replaceAll(/"refunds":\[\{[^]*?\}\]/g, '"refunds":[]'));
    expect(changed).not.toBe(text);
    await expect(replay(changed)).rejects.toThrow(DeterminismViolationError);
  });

  test('a subscription that waits for another date', async () => {
    const text = textOf('subscription-that-starts-later.json');
    const changed = inEveryPayload(text, (clear) => clear.replaceAll(/"due":\{[^}]*\}/g, '"due":null'));
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
