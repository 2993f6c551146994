import { ApplicationFailure } from '@temporalio/activity';
import * as fc from 'fast-check';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import {
  backoffMs,
  DoubtRemains,
  isCertainlyNothing,
  NotNow,
  RejectedInDoubt,
  RoundFailed,
  stillUnknown,
  toTemporalFailure,
  Unprepared,
} from '../../activities/failures.ts';
import { ProviderFault } from '../../activities/providers/provider.ts';
import { BrokenInvariant } from '../../workflows/domain/invariant.ts';
import type { FaultKind } from '../../workflows/domain/outcome.ts';

function failureFor(error: unknown, attempt = 1): ApplicationFailure {
  const failure = toTemporalFailure(error, attempt);
  if (!(failure instanceof ApplicationFailure)) throw new Error(`not a Temporal failure: ${String(failure)}`);
  return failure;
}

test.each<[FaultKind, boolean]>([
  ['rejected', true],
  ['unknown_outcome', true],
  ['unavailable', false],
  ['rate_limited', false],
  ['misconfigured', false],
])('a fault of kind %s keeps its kind as type, and whether it is final is %s', (kind, isFinal) => {
  const failure = failureFor(new ProviderFault(kind, 'what happened'));
  expect(failure.type).toBe(kind);
  expect(Boolean(failure.nonRetryable)).toBe(isFinal);
  expect(failure.nextRetryDelay === undefined).toBe(isFinal);
});

describe('the delay that a provider names', () => {
  const failures = {
    'a charge limited': (retryAfterMs: number) =>
      failureFor(new ProviderFault('rate_limited', 'slow down', { retryAfterMs })),
    'a charge turned away': (retryAfterMs: number) =>
      failureFor(new ProviderFault('unavailable', 'come back', { retryAfterMs })),
    'a question': (retryAfterMs: number) => stillUnknown('asking failed', 1, retryAfterMs),
  };

  test.each(Object.entries(failures))(
    'after %s is the least that is waited, up to ten minutes',
    (_name, failureAfter) => {
      expect(failureAfter(90_000).nextRetryDelay).toBe(90_000);
      expect(failureAfter(86_400_000).nextRetryDelay).toBe(600_000);
      expect(Number(failureAfter(1).nextRetryDelay)).toBeGreaterThanOrEqual(250);
    },
  );
});

test('a provider’s wait is not what an operator’s mistake is retried after', () => {
  const { nextRetryDelay } = failureFor(new ProviderFault('misconfigured', 'the key is wrong', { retryAfterMs: 1 }));
  expect(Number(nextRetryDelay)).toBeGreaterThanOrEqual(2_500);
});

describe('a try that sent nothing', () => {
  test('comes back when it may', () => {
    expect(failureFor(new NotNow(1_234))).toMatchObject({ type: 'not_now', nextRetryDelay: 1_234 });
  });

  test('because its preparation is not confirmed comes back soon', () => {
    const failure = failureFor(new Unprepared(new ProviderFault('unknown_outcome', 'no answer'), false));
    expect(failure).toMatchObject({ type: 'unprepared', message: 'not prepared yet: no answer' });
    expect(failure.nonRetryable).not.toBe(true);
    expect(Number(failure.nextRetryDelay)).toBeLessThanOrEqual(500);
  });

  test('while an earlier one is in doubt comes back with the delay of its own fault', () => {
    const fault = new ProviderFault('rate_limited', 'slow down', { retryAfterMs: 5_000 });
    const failure = failureFor(new DoubtRemains(fault));
    expect(failure).toMatchObject({ type: 'rate_limited', message: 'slow down', nextRetryDelay: 5_000 });
  });

  test('because it was refused while an earlier one is in doubt is not retried', () => {
    const failure = failureFor(new RejectedInDoubt(new ProviderFault('rejected', 'a bad request')));
    expect(failure).toMatchObject({ type: 'rejected_in_doubt', nonRetryable: true });
  });
});

describe('a round that nobody took', () => {
  const limited = new ProviderFault('rate_limited', 'slow down', { retryAfterMs: 90_000 });
  const misconfigured = new ProviderFault('misconfigured', 'the key is wrong');
  const round = (...errors: Error[]) =>
    failureFor(new RoundFailed(errors.map((error, index) => ({ provider: `pay${index + 1}`, error }))));

  test.each<[string, Error[], string, number]>([
    [
      'one that is away before one that limits us',
      [limited, new ProviderFault('unavailable', 'x')],
      'unavailable',
      500,
    ],
    ['one that limits us before a wrong key', [misconfigured, new NotNow(1_000)], 'not_now', 1_000],
    ['a wrong key before one that limits us for long', [limited, misconfigured], 'misconfigured', 5_000],
    ['the only one', [limited], 'rate_limited', 90_000],
  ])('is tried again as soon as its most hopeful candidate says: %s', (_, errors, type, delayMaxMs) => {
    const failure = round(...errors);
    expect(failure.type).toBe(type);
    expect(failure.nonRetryable).not.toBe(true);
    expect(Number(failure.nextRetryDelay)).toBeLessThanOrEqual(delayMaxMs);
    expect(Number(failure.nextRetryDelay)).toBeGreaterThanOrEqual(delayMaxMs / 2);
  });

  test('tells operators what was wrong at each', () => {
    expect(round(limited, misconfigured).message).toBe('pay1: slow down; pay2: the key is wrong');
  });

  test('waits longer from try to try', () => {
    const away = new RoundFailed([{ provider: 'pay1', error: new ProviderFault('unavailable', 'x') }]);
    expect(Number(failureFor(away, 6).nextRetryDelay)).toBeGreaterThanOrEqual(8_000);
  });
});

test.each<[Error, boolean]>([
  [new ProviderFault('unavailable', 'x'), true],
  [new ProviderFault('rate_limited', 'x'), true],
  [new ProviderFault('misconfigured', 'x'), true],
  [new NotNow(1), true],
  [new ProviderFault('unknown_outcome', 'x'), false],
  [new ProviderFault('rejected', 'x'), false],
  [new Unprepared(new ProviderFault('unknown_outcome', 'x'), false), false],
  [new Unprepared(new ProviderFault('unknown_outcome', 'x'), true), true],
  [new DoubtRemains(new ProviderFault('unavailable', 'x')), false],
  [new RejectedInDoubt(new ProviderFault('rejected', 'x')), false],
  [new BrokenInvariant('x'), false],
  [new Error('x'), false],
])('%s lets another provider have its turn: %s', (error, isCertain) => {
  expect(isCertainlyNothing(error)).toBe(isCertain);
});

test('a broken invariant is not retried', () => {
  expect(failureFor(new BrokenInvariant('x')).nonRetryable).toBe(true);
});

test.each(['ECONNREFUSED', 'ECONNRESET', '57P01', '40P01', '08006', '53300', '55P03'])(
  'a database that fails with %s is tried again, and its words are not passed on',
  (code) => {
    const error = code.startsWith('E')
      ? Object.assign(new Error('connect to db-host as user'), { code })
      : Object.assign(new pg.DatabaseError('secret value', 1, 'error'), { code });
    const failure = failureFor(error);
    expect(failure.type).toBe('database_unavailable');
    expect(failure.nonRetryable).not.toBe(true);
    expect(failure.message).not.toMatch(/secret|db-host/);
  },
);

test.each(['22021', '22P05', '22P02', '23505', '42P01'])(
  'a statement of ours that the database refuses with %s is a broken invariant: repeating it changes nothing',
  (code) => {
    const failure = failureFor(Object.assign(new pg.DatabaseError('secret value', 1, 'error'), { code }));
    expect(failure.type).toBe('broken_invariant');
    expect(failure.nonRetryable).toBe(true);
    expect(failure.message).toContain(code);
    expect(failure.message).not.toContain('secret');
  },
);

test('backoff grows exponentially to its cap, and jitter never takes more than half of it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const full = Math.min(60_000, 500 * 2 ** Math.min(attempt - 1, 30));
      const delayMs = backoffMs(attempt, { firstMs: 500, capMs: 60_000 }, () => random);
      expect(delayMs).toBeGreaterThanOrEqual(Math.floor(full / 2));
      expect(delayMs).toBeLessThanOrEqual(full);
    }),
  );
});
