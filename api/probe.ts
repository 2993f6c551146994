import { z } from 'zod';
import { type Backlog, readBacklog } from '../prisma/backlog.ts';
import type { Database } from '../prisma/database.ts';
import type { ApiDeps } from './deps.ts';
import type { HealthAnswer } from './health-route.ts';
import { shareAnswers } from './share-answers.ts';

/** Whoever asks for our health wants to know now. */
export const probeTimeoutMs = 1_000;

/** What a question was answered with, null when it failed or took too long, and after how many milliseconds. */
export interface Probed<Answer> {
  readonly answer: Answer | null;
  readonly latencyMs: number;
}

/** Asks, and waits for `probeTimeoutMs` at most. Never rejects. */
export async function probe<Answer>(question: Promise<Answer>): Promise<Probed<Answer>> {
  const start = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), probeTimeoutMs);
  });
  const answer = await Promise.race([question.catch(() => null), tooLate]);
  clearTimeout(timer);
  return { answer, latencyMs: Math.round(performance.now() - start) };
}

/** Asks the database for a sign of life. */
export function probeDatabase({ db }: ApiDeps): Promise<Probed<true>> {
  return probe(db.pool.query('SELECT 1').then(() => true as const));
}

/** Asks Temporal for a sign of life. */
export function probeTemporal({ payments }: ApiDeps): Promise<Probed<boolean>> {
  return probe(payments.isReachable(probeTimeoutMs));
}

const backlogGoodForMs = 5_000;

/** Counts what waits for all who ask: anybody may, and it takes a connection that payments want. */
export function sharedBacklog(db: Database): () => Promise<Backlog> {
  return shareAnswers(() => readBacklog(db), backlogGoodForMs);
}

const check = z.enum(['ok', 'unreachable']);

/** Whether payments can be accepted, and by what it is decided. */
export const readinessSchema = z
  .object({ status: z.enum(['ok', 'unavailable']), checks: z.object({ database: check, temporal: check }) })
  .meta({ id: 'Readiness' });

/** Asks all that a payment's acceptance needs: 200 when it is there, else 503. */
export async function askReadiness(deps: ApiDeps): Promise<HealthAnswer<z.infer<typeof readinessSchema>>> {
  const [database, temporal] = await Promise.all([probeDatabase(deps), probeTemporal(deps)]);
  const checks = { database: wordFor(database), temporal: wordFor(temporal) };
  const isReady = checks.database === 'ok' && checks.temporal === 'ok';
  return { status: isReady ? 200 : 503, data: { status: isReady ? 'ok' : 'unavailable', checks } };
}

/** The word for a dependency that was probed. */
export function wordFor(probed: Probed<boolean>): z.infer<typeof check> {
  return probed.answer === true ? 'ok' : 'unreachable';
}
