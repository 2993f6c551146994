import { z } from 'zod';
import type { Backlog } from '../../prisma/backlog.ts';
import { product } from '../../runtime/version.ts';
import { healthRoute } from '../health-route.ts';
import { type Probed, probe, probeDatabase, probeTemporal, probeTimeoutMs, wordFor } from '../probe.ts';

/** Longer than these, and something that should go on does not. */
const deliveryLateSeconds = 60;
const paymentLateSeconds = 900;
const subscriptionLateSeconds = 900;

const dependency = z.object({ status: z.enum(['ok', 'unreachable']), latency_ms: z.int() });
const late = z.enum(['ok', 'late', 'unknown']);

const schema = z
  .object({
    status: z.enum(['ok', 'degraded', 'unavailable']),
    degraded: z
      .array(z.enum(['database', 'temporal', 'workers', 'deliveries', 'payments', 'subscriptions']))
      .describe('What is not as it should be'),
    version: z.string(),
    uptime_seconds: z.int(),
    checks: z.object({
      database: dependency,
      temporal: dependency,
      workers: z.object({
        status: z.enum(['ok', 'absent', 'unknown']),
        count: z.int().nullable().describe('Workers that asked for payments to work on within the last minute or so'),
      }),
      deliveries: z.object({
        status: late,
        pending: z.int().nullable().describe('Webhooks and mails that wait for their first try'),
        oldest_due_seconds: z
          .int()
          .nullable()
          .describe(
            'The longest wait for a first try that has not begun, among receivers for whom nothing is being retried: those ' +
              'who wait behind a receiver that is away wait for it',
          ),
      }),
      payments: z.object({
        status: late,
        open: z.int().nullable().describe('Payments that are being worked on, or wait for an operator'),
        oldest_open_seconds: z.int().nullable(),
      }),
      subscriptions: z.object({
        status: late,
        overdue: z
          .int()
          .nullable()
          .describe('Subscriptions for which something was due a minute ago, and is not begun'),
        oldest_overdue_seconds: z.int().nullable(),
      }),
    }),
  })
  .meta({ id: 'DetailedHealth' });

/** `GET /health/detailed`: each dependency, and what waits. */
export const healthDetailed = healthRoute(
  {
    operationId: 'healthDetailed',
    path: '/health/detailed',
    permission: 'system:read',
    summary: 'What is well, and what is not?',
    description:
      'Each dependency with its latency, the workers, and what waits, over all merchants. 503 while payments cannot be ' +
      `accepted. \`late\`: a delivery is due for longer than ${deliveryLateSeconds} seconds, a payment open for longer than ` +
      `${paymentLateSeconds}, or a subscription due for longer than ${subscriptionLateSeconds}. What waits is counted every few seconds at most.`,
    schema,
  },
  async (deps) => {
    const [database, temporal, workers, backlog] = await Promise.all([
      probeDatabase(deps),
      probeTemporal(deps),
      probe(deps.payments.countWorkers(probeTimeoutMs)),
      probe(deps.backlog()),
    ]);
    // An earlier count says nothing about a database that is away now.
    const counted = database.answer === null ? null : backlog.answer;
    const data = reportOf(database, temporal, workers.answer, counted);
    return { status: data.status === 'unavailable' ? 503 : 200, data };
  },
);

type Report = z.infer<typeof schema>;

function reportOf(
  database: Probed<boolean>,
  temporal: Probed<boolean>,
  workers: number | null,
  backlog: Backlog | null,
): Report {
  const checks: Report['checks'] = {
    database: { status: wordFor(database), latency_ms: database.latencyMs },
    temporal: { status: wordFor(temporal), latency_ms: temporal.latencyMs },
    workers: { status: workers === null ? 'unknown' : workers === 0 ? 'absent' : 'ok', count: workers },
    deliveries: {
      status: lateness(backlog, backlog?.oldestDueDeliverySeconds, deliveryLateSeconds),
      pending: backlog?.deliveries ?? null,
      oldest_due_seconds: backlog?.oldestDueDeliverySeconds ?? null,
    },
    payments: {
      status: lateness(backlog, backlog?.oldestPaymentSeconds, paymentLateSeconds),
      open: backlog?.payments ?? null,
      oldest_open_seconds: backlog?.oldestPaymentSeconds ?? null,
    },
    subscriptions: {
      status: lateness(backlog, backlog?.oldestOverdueSubscriptionSeconds, subscriptionLateSeconds),
      overdue: backlog?.overdueSubscriptions ?? null,
      oldest_overdue_seconds: backlog?.oldestOverdueSubscriptionSeconds ?? null,
    },
  };
  const names = Object.keys(checks) as (keyof typeof checks)[];
  const degraded = names.filter((name) => checks[name].status !== 'ok');
  const isReady = checks.database.status === 'ok' && checks.temporal.status === 'ok';
  return {
    status: !isReady ? 'unavailable' : degraded.length > 0 ? 'degraded' : 'ok',
    degraded,
    version: product.version,
    uptime_seconds: Math.floor(process.uptime()),
    checks,
  };
}

function lateness(
  backlog: Backlog | null,
  seconds: number | null | undefined,
  lateAfter: number,
): z.infer<typeof late> {
  if (backlog === null) return 'unknown';
  return (seconds ?? 0) > lateAfter ? 'late' : 'ok';
}
