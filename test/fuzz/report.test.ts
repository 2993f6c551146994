import { expect, test } from 'vitest';
import type { FuzzRun } from './fuzz.ts';
import { shortcomingsOf, tableOf } from './report.ts';

const statuses = (...counts: [string, [number, number][]][]) => new Map(counts.map(([id, of]) => [id, new Map(of)]));
const well: FuzzRun = {
  plan: { seed: 5, requests: 10, concurrency: 2 },
  kinds: 10,
  done: 10,
  slowestMs: 12.3,
  secondChances: 4,
  statuses: statuses(
    [
      'getThing',
      [
        [200, 6],
        [422, 3],
      ],
    ],
    ['(no operation)', [[404, 1]]],
  ),
  damages: new Map([['nothing', 10]]),
  findings: new Map(),
};

test('a run that did what it should, and found nothing, has no shortcoming', () => {
  expect(shortcomingsOf(well)).toEqual([]);
  expect(tableOf(well)).toMatch(/seed 5: 10 requests.*\n.*12 ms; 4 were late.*\n +200 +404 +422\ngetThing +6 +3\n/);
});

test.each<[string, Partial<FuzzRun>, RegExp]>([
  ['sent less than planned', { done: 9 }, /^only 9 of 10/],
  ['planned less than there is to try', { kinds: 11 }, /^10 requests are too few for 11/],
  ['was slow again and again', { secondChances: 5 }, /^5 answers were late/],
  ['never got past a refusal', { statuses: statuses(['getThing', [[422, 9]]]) }, /^getThing never answered 2xx or 3xx/],
  ['was never refused', { statuses: statuses(['getThing', [[200, 9]]]) }, /^getThing never answered 4xx/],
  [
    'found something',
    {
      findings: new Map([
        [
          'x',
          {
            mutation: 'null',
            complaints: ['answered 500'],
            curl: 'curl x',
            answer: null,
            times: new Map([['getThing', 2]]),
          },
        ],
      ]),
    },
    /^null \(getThing 2\):\n {2}answered 500\n {2}curl x\n {2}no answer$/,
  ],
])('a run that %s fails', (_what, changes, message) => {
  expect(shortcomingsOf({ ...well, ...changes })).toEqual([expect.stringMatching(message)]);
});
