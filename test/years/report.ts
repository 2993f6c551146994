import type { YearsRun } from './run.ts';

/** What each run must have seen, so that it cannot pass by doing nothing: so many per subscription and year. */
const leastPerYear: Readonly<Record<string, number>> = {
  'charge paid': 3,
  'charge declined': 0.2,
  'period in summer': 0.3,
  'period in winter': 0.3,
  'period of days': 0.1,
  'period of weeks': 0.1,
  'period of months': 0.2,
  'period of years': 0.01,
  'period at the end of February': 0.01,
  'cancel with refund': 0.02,
};

/** The same, so many at all. */
const least: Readonly<Record<string, number>> = {
  'pause, keep': 1,
  'pause, shift': 1,
  resume: 2,
  'change of plan': 1,
  'card that approves': 2,
  'card that declines': 1,
  'bill for change': 1,
};

/** What was found, and where the run did less than it should. */
export function shortcomingsOf({ plan, tally, findings }: YearsRun): string[] {
  const share = plan.years * plan.subscriptions;
  const wanted = [
    ...Object.entries(leastPerYear).map(([name, count]) => [name, Math.floor(count * share)] as const),
    ...Object.entries(least),
    ['kill in the middle', plan.kills] as const,
  ];
  return [
    ...wanted
      .filter(([name, count]) => (tally.get(name) ?? 0) < count)
      .map(([name, count]) => `too few of "${name}": ${tally.get(name) ?? 0} of ${count}`),
    ...findings,
  ];
}

/** What was done and came about, for people. */
export function tableOf({ plan, tally, seconds, findings }: YearsRun): string {
  const counts = [...tally]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`);
  const { seed, years, subscriptions, clocks } = plan;
  return [
    `seed ${seed}: ${subscriptions} subscriptions, ${years} years on ${clocks} clocks in ${seconds.toFixed(0)} s, ${findings.length} finding(s)`,
    counts.join(' · '),
  ].join('\n');
}
