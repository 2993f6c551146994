import type { Finding, ModelRun } from './run.ts';
import { commandKinds, eventTricks } from './sequence.ts';
import { faultNames } from './weather.ts';

/** Of each kind of command there is at least one for so many sequences. */
const sequencesPerCommand = 20;

/**
 * Everything that makes a run a failure: what was found, and what it did not do. A run in which nothing was refused, repeated,
 * struck or done at the same time has shown little.
 */
export function shortcomingsOf({ plan, tally, findings, done }: ModelRun): string[] {
  if (plan.only !== undefined) return findings.map((finding) => textOf(finding, plan.seed));
  const commandsMin = Math.max(1, Math.floor(plan.sequences / sequencesPerCommand));
  const atLeast = (name: string, min: number) =>
    tally.of(name) < min ? [`${name}: ${tally.of(name)}, and planned were at least ${min}`] : [];
  const refusals = tally.all('answered ').filter(([name]) => name.includes(': 409 '));
  return [
    ...(done < plan.sequences ? [`only ${done} of ${plan.sequences} sequences were played`] : []),
    ...commandKinds.flatMap((kind) => atLeast(`command ${kind}`, commandsMin)),
    ...eventTricks.flatMap((trick) => atLeast(`event ${trick}`, 1)),
    ...faultNames.flatMap((fault) => atLeast(`fault ${fault}`, 1)),
    ...atLeast('rests', plan.sequences),
    ...atLeast('replayed', commandsMin),
    ...atLeast('together', commandsMin),
    ...atLeast('challenge approved', 1),
    ...atLeast('kills', plan.kills),
    ...atLeast('kills in the middle of something', Math.min(1, plan.kills)),
    ...(refusals.length === 0 ? ['nothing was refused with 409'] : []),
    ...findings.map((finding) => textOf(finding, plan.seed)),
  ];
}

function textOf({ index, path, first, smallest, plays }: Finding, seed: number): string {
  const again = `seed ${seed}, sequence ${index}, path ${path} (after ${plays} plays)`;
  return smallest === first ? `${again}:\n${first}` : `${again}:\n${smallest}\nat first:\n${first}`;
}

/** What a run did, for people. */
export function tableOf({ plan, tally, done, findings, seconds }: ModelRun): string {
  const line = (name: string, counts: readonly (readonly [string, number])[]) =>
    `${name.padEnd(12)}${counts.map(([of, count]) => `${of} ${count}`).join(' · ')}`;
  return [
    `seed ${plan.seed}: ${done} sequences in ${Math.round(seconds)} s, ${findings.length} finding(s); the slowest request took ${Math.round(tally.slowestMs)} ms`,
    line('commands', tally.all('command ')),
    line('events', tally.all('event ')),
    ...answersOf(tally.all('answered ')).map(([name, counts]) => line(name, counts)),
    line('rested', tally.all('rested: ')),
    line('faults', tally.all('fault ')),
    line(
      'and',
      ['together', 'replayed', 'challenge approved', 'challenge declined', 'resolved', 'rests', 'kills'].map(
        (name) => [name, tally.of(name)] as const,
      ),
    ),
  ].join('\n');
}

function answersOf(all: readonly (readonly [string, number])[]): [string, (readonly [string, number])[]][] {
  const parts = all.map(([name, count]) => {
    const [asked = '', answer = ''] = name.split(': ');
    return { asked, counted: [answer, count] as const };
  });
  return [...Map.groupBy(parts, ({ asked }) => asked)].map(([asked, of]) => [asked, of.map(({ counted }) => counted)]);
}
