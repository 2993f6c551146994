import { expect, test } from 'vitest';
import { type Facts, isAtRest, type Life, laterOf, newborn, statusOf } from './model.ts';
import { type Answer, type Asked, type Exchange, follow as followAt } from './outcomes.ts';

const facts: Facts = { amount: 100n, isManual: false, card: 'approves', rounds: 1, isShort: false };
const captured: Life = { ...newborn, charge: 'charged', authorized: 100n, captured: 100n };
const authorized: Life = { ...newborn, charge: 'charged', authorized: 100n };

const follow = (lives: readonly Life[], of: Facts, exchanges: readonly Exchange[]) =>
  followAt(lives, { facts: of, isSettled: true }, exchanges);
const asked = (kind: 'capture' | 'refund', key: string, amount: bigint): Asked => ({ kind, key, body: key, amount });
const answer = (status: number, code: string | null = null): Answer => ({ status, code, payment: null, refund: null });
const refund = (key: string, amount: bigint, status = 'succeeded') => ({
  asked: asked('refund', key, amount),
  answer: { ...answer(status === 'pending' ? 202 : 201), refund: { status, amount } },
});
const refused = (key: string, amount: bigint, code: string) => ({
  asked: asked('refund', key, amount),
  answer: answer(409, code),
});

test('two refunds at the same time are not both taken where they are more than was captured', () => {
  expect(follow([captured], facts, [refund('a', 60n), refund('b', 40n)])).not.toEqual([]);
  expect(follow([captured], facts, [refund('a', 60n), refund('b', 41n)])).toEqual([]);
  const other = refused('b', 41n, 'amount_exceeds_refundable');
  expect(follow([captured], facts, [refund('a', 60n), other])).not.toEqual([]);
});

test('a refund is not refused that could be made, whatever order is thought of', () => {
  const left = refused('b', 40n, 'amount_exceeds_refundable');
  expect(follow([captured], facts, [refund('a', 60n), left])).toEqual([]);
});

test('a refund that the provider declines gives back what it had reserved', () => {
  const declining: Facts = { ...facts, card: 'declines refunds' };
  const [after] = follow([captured], declining, [refund('a', 100n, 'failed')]);
  expect(after).toMatchObject({ refunded: 0n });
  expect(follow(after === undefined ? [] : [after], declining, [refund('b', 100n, 'failed')])).not.toEqual([]);
  expect(follow([captured], declining, [refund('a', 100n)])).toEqual([]);
});

test('of a capture and a cancellation at the same time one may be refused, and what was captured is never canceled', () => {
  const manual: Facts = { ...facts, isManual: true };
  const capture = { asked: asked('capture', 'a', 100n), answer: answer(201) };
  const cancel = (status: number, code: string | null) => ({
    asked: { kind: 'cancel' } as const,
    answer: answer(status, code),
  });
  const ends = follow([authorized], manual, [capture, cancel(409, 'too_late_to_cancel')]);
  expect([...new Set(ends.map(statusOf))].toSorted()).toEqual(['captured']);
  expect(follow([authorized], manual, [capture, cancel(200, null)])).toEqual([]);
});

test('one key is one refund: a repeat makes none, and another body is refused', () => {
  const again = follow([captured], facts, [refund('a', 60n), refund('a', 60n)]);
  expect(new Set(again.map(({ moves }) => moves.length))).toEqual(new Set([1]));
  const after = follow([captured], facts, [refund('a', 60n)]);
  const other = {
    asked: { ...asked('refund', 'a', 1n), body: 'another' } as Asked,
    answer: answer(422, 'idempotency_key_reused'),
  };
  expect(follow(after, facts, [other])).not.toEqual([]);
  expect(follow(after, facts, [{ ...other, answer: answer(201) }])).toEqual([]);
});

test('an answer that shows other amounts than there can be is explained by nothing', () => {
  const shown = { status: 'captured', authorized: 100n, captured: 100n, voided: 0n, refunded: 0n };
  const create = (payment: typeof shown) => [
    { asked: { kind: 'create', isOther: false } as const, answer: { ...answer(201), payment } },
  ];
  expect(follow([newborn], facts, create(shown))).not.toEqual([]);
  expect(follow([newborn], facts, create({ ...shown, captured: 99n }))).toEqual([]);
  expect(follow([newborn], facts, create({ ...shown, status: 'failed' }))).toEqual([]);
});

test('a payment rests when nothing must happen any more, and never while something is pending', () => {
  const ends = laterOf([newborn], { ...facts, isManual: true });
  const resting = ends.filter((life) => isAtRest(life, { ...facts, isManual: true }));
  expect(resting.map(statusOf).toSorted()).toEqual(['authorized', 'unresolved']);
  const short: Facts = { ...facts, isManual: true, isShort: true };
  const over = laterOf([newborn], short).filter((life) => isAtRest(life, short));
  expect(over.map(statusOf)).not.toContain('authorized');
  expect(over.map(statusOf)).toContain('canceled');
});
