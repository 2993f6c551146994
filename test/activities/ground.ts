import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { ActivityDeps } from '../../activities/deps.ts';
import type { Provider } from '../../activities/providers/provider.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createWorkerMetrics } from '../../runtime/metrics.ts';
import type { TestDatabase } from '../support/database.ts';

const nobody = (what: string) => () => Promise.reject(new Error(`nobody should ${what} here`));

/** A provider that honors keys and refuses every call as a mistake of the test's, unless told otherwise. */
export function aProvider(changes: Partial<Provider> = {}): Provider {
  return {
    name: 'easypay',
    capabilities: { methods: ['credit_card'], brands: null, currencies: null },
    idempotency: { kind: 'key' },
    processingHorizonMs: 60_000,
    refundsPer: 'charge',
    charge: nobody('charge'),
    lookUpCharge: nobody('ask for a charge'),
    move: nobody('move money'),
    lookUpMovement: nobody('ask for a movement'),
    close: async () => undefined,
    ...changes,
  };
}

/** What activities need, with these providers and a log that says nothing, unless told otherwise. */
export function depsWith(
  { db }: TestDatabase,
  providers: readonly Provider[] = [],
  changes: Partial<ActivityDeps> = {},
): ActivityDeps {
  return {
    db,
    providers: new Map(providers.map((provider) => [provider.name, provider])),
    logger: createLogger('test', 'silent'),
    metrics: createWorkerMetrics(db.pool),
    publicApiUrl: 'http://payments.example',
    ...changes,
  };
}

/** Where an activity runs: an execution of its own, which says nothing. */
export function anExecution(
  info: {
    readonly isLocal?: boolean;
    readonly attempt?: number;
    readonly currentAttemptScheduledTimestampMs?: number;
  } = {},
  client?: Client,
): MockActivityEnvironment {
  const logger = new DefaultLogger('ERROR', () => undefined);
  return new MockActivityEnvironment(info, { logger, ...(client && { client }) });
}
