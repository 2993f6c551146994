import { type Finding, type FuzzRun, nowhere } from './fuzz.ts';

/** More second chances than these are no moods of a machine: of all requests, and for all that are asked while it stalls. */
const secondChancesShareMax = 0.01;
const stallsMax = 2;

/**
 * What a key cannot succeed with: it takes a person, in live mode, or what only another answer shows. Tests of their own show
 * these at work; here they are shown to refuse as the document says.
 */
const forPeople: ReadonlySet<string> = new Set([
  'updateOwnMerchant',
  'createTokens',
  'refreshTokens',
  'inviteUser',
  'updateUser',
  'acceptInvitation',
  'beginTotp',
  'confirmTotp',
  'changePassword',
]);

/**
 * Everything that makes a run a failure: what was found, and what it did not do. A run that sent less than planned, or that
 * never got past a refusal, has shown nothing.
 */
export function shortcomingsOf(run: FuzzRun): string[] {
  const { plan, kinds, done, secondChances, statuses, findings } = run;
  const operations = [...statuses].filter(([operationId]) => operationId !== nowhere);
  const lacking = operations.flatMap(([operationId, counts]) =>
    [['2xx or 3xx', 200, 400] as const, ['4xx', 400, 500] as const]
      .filter(([, from, to]) => ![...counts.keys()].some((status) => status >= from && status < to))
      .filter(([, from]) => from >= 400 || !forPeople.has(operationId))
      .map(([kind]) => `${operationId} never answered ${kind}`),
  );
  return [
    ...(done < plan.requests ? [`only ${done} of ${plan.requests} requests were sent`] : []),
    ...(plan.requests < kinds ? [`${plan.requests} requests are too few for ${kinds} kinds of them: plan more`] : []),
    ...(secondChances > Math.max(stallsMax * plan.concurrency, done * secondChancesShareMax)
      ? [`${secondChances} answers were late or 503 before they were well`]
      : []),
    ...lacking,
    ...[...findings.values()].map(textOf),
  ];
}

function textOf({ mutation, complaints, curl, answer, times }: Finding): string {
  const said = answer === null ? 'no answer' : `answered ${answer}`;
  const met = [...times].map(([operationId, count]) => `${operationId} ${count}`).join(', ');
  return [`${mutation} (${met}):`, ...complaints.slice(0, 10), curl, said].join('\n  ');
}

/** What was answered how often, for people. */
export function tableOf({ statuses, damages, kinds, plan, done, slowestMs, secondChances }: FuzzRun): string {
  const all = [...new Set([...statuses.values()].flatMap((counts) => [...counts.keys()]))].toSorted((a, b) => a - b);
  const line = (name: string, cells: readonly unknown[]) =>
    `${name.padEnd(24)}${cells.map((cell) => String(cell).padStart(6)).join('')}`;
  return [
    `seed ${plan.seed}: ${done} requests of ${kinds} kinds, ${damages.size} kinds of damage`,
    `the slowest answer took ${Math.round(slowestMs)} ms; ${secondChances} were late or 503 at first`,
    line('', all),
    ...[...statuses].map(([operationId, counts]) =>
      line(
        operationId,
        all.map((status) => counts.get(status) ?? ''),
      ),
    ),
  ].join('\n');
}
