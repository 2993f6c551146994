import type { Database } from '../prisma/database.ts';
import type { Logger } from '../runtime/logger.ts';
import type { PaymentClient } from './payment-client.ts';

/** What the API needs of the process that runs it. */
export interface ApiDeps {
  readonly db: Database;
  readonly payments: PaymentClient;
  readonly logger: Logger;
  readonly apiKeyPepper: string;
}
