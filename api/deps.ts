import type { ProviderEvents } from '../activities/providers/provider-events.ts';
import type { Backlog } from '../prisma/backlog.ts';
import type { Database } from '../prisma/database.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ApiMetrics } from '../runtime/metrics.ts';
import type { PaymentClient } from './temporal/payment-client.ts';
import type { WebhookDeps } from './webhook-deps.ts';

/** What the API needs of the process that runs it. */
export interface ApiDeps {
  readonly db: Database;
  readonly payments: PaymentClient;
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  readonly apiKeyPepper: string;
  readonly webhooks: WebhookDeps;
  /** The accounts at providers whose events are taken, by `provider/account id`. */
  readonly providerEvents: ReadonlyMap<string, ProviderEvents>;
  /** What waits, as it was a few seconds ago. */
  readonly backlog: () => Promise<Backlog>;
}
