import type { ProviderEvents } from '../activities/providers/provider-events.ts';
import type { Backlog } from '../prisma/backlog.ts';
import type { Database } from '../prisma/database.ts';
import type { AccessTokens } from '../runtime/access-token.ts';
import type { AddressGuard } from '../runtime/address-guard.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ApiMetrics } from '../runtime/metrics.ts';
import type { RateLimits } from '../runtime/rate-limits.ts';
import type { SecretBox } from '../runtime/secret-box.ts';
import type { CallLog } from './call-log.ts';
import type { Credentials } from './credentials.ts';
import type { HttpPolicy } from './http-policy.ts';
import type { KeyUsage } from './key-usage.ts';
import type { BatchClient } from './temporal/batch-client.ts';
import type { PaymentClient } from './temporal/payment-client.ts';
import type { SubscriptionClient } from './temporal/subscription-client.ts';
import type { TestClockClient } from './temporal/test-clock-client.ts';

/** What the API needs of the process that runs it. */
export interface ApiDeps {
  readonly db: Database;
  readonly payments: PaymentClient;
  readonly subscriptions: SubscriptionClient;
  readonly testClocks: TestClockClient;
  readonly batches: BatchClient;
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  readonly apiKeyPepper: string;
  readonly credentials: Credentials;
  readonly accessTokens: AccessTokens;
  readonly rateLimits: RateLimits;
  readonly keyUsage: KeyUsage;
  readonly callLog: CallLog;
  readonly httpPolicy: HttpPolicy;
  /** Encrypts secrets that must be read again: of webhooks, signatures and authenticators. */
  readonly secretBox: SecretBox;
  /** Decides where webhooks may go. */
  readonly addressGuard: AddressGuard;
  /** The accounts at providers whose events are taken, by `provider/account id`. */
  readonly providerEvents: ReadonlyMap<string, ProviderEvents>;
  /** What waits, as it was a few seconds ago. */
  readonly backlog: () => Promise<Backlog>;
}
