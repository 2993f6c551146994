import type { Database } from '../prisma/database.ts';
import type { Logger } from '../runtime/logger.ts';
import type { WorkerMetrics } from '../runtime/metrics.ts';
import type { Providers } from './providers/index.ts';

/** What activities need of the process that runs them. */
export interface ActivityDeps {
  readonly db: Database;
  readonly providers: Providers;
  readonly logger: Logger;
  readonly metrics: WorkerMetrics;
  /** Where payers' browsers reach the API, without a slash at the end. */
  readonly publicApiUrl: string;
}
