import { expect, test } from 'vitest';
import { Life } from './life.ts';

const at = (text: string) => Date.parse(text);

const tea = { name: 'tea', amount: 3000n, unit: 'month', count: 1, trialDays: 0, signUpFee: 0n, cycles: null } as const;

/** Weekly from 31 January, declined then and on days 1, 3, 5 and 7: the period of 7 February waits. */
function owing(): Life {
  const ladder = { retryDays: [1, 3, 5, 7], graceDays: 30, finalAction: 'cancel' } as const;
  const begun = {
    offer: { ...tea, unit: 'week' },
    quantity: 1,
    zone: 'UTC',
    card: 'declines',
    ladder,
    startsAt: null,
  } as const;
  const life = new Life({ ...begun, at: at('2026-01-31T10:00Z') });
  life.runTo(at('2026-02-07T12:00Z'));
  return life;
}

test.each([
  ['none began during it', '2026-02-07T12:01Z', '2026-02-07T10:00Z'],
  ['one began during it', '2026-02-14T10:01Z', '2026-02-21T10:00Z'],
])('on paper, what began before a pause with kept dates is billed where %s', (_, end, next) => {
  for (const isSaid of [false, true]) {
    const life = owing();
    life.pause(isSaid ? at(end) : null, false);
    life.runTo(at(end));
    if (!isSaid) life.resume(false);
    expect(life.next).toBe(at(next));
    life.useCard('approves');
    expect(life.bills.map(({ start }) => start).slice(1, 2)).toEqual(at(next) < at(end) ? [at(next)] : []);
  }
});

test('on paper, a change to another length that costs nothing comes with the next period', () => {
  const ladder = { retryDays: [], graceDays: 0, finalAction: 'cancel' } as const;
  const begun = { offer: tea, quantity: 1, zone: 'UTC', card: 'approves', ladder, startsAt: null } as const;
  const life = new Life({ ...begun, at: at('2026-01-31T10:00Z') });
  life.runTo(at('2026-02-14T10:00Z'));
  life.change({ ...tea, name: 'a week of tea', amount: 1500n, unit: 'week' }, 1);
  expect([life.offer.name, life.pending?.offer.name, life.bills.length]).toEqual(['tea', 'a week of tea', 1]);
  life.runTo(at('2026-02-28T10:00Z'));
  expect([life.offer.name, life.pending, life.bills.at(-1)?.amount]).toEqual(['a week of tea', null, 1500n]);
});
