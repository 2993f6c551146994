import type { Database } from '../prisma/database.ts';
import type { DeliveryListener } from '../prisma/delivery-listener.ts';
import type { Logger } from '../runtime/logger.ts';
import type { WorkerMetrics } from '../runtime/metrics.ts';
import type { SecretBox } from '../runtime/secret-box.ts';
import type { DeliverySlots } from './delivery-slots.ts';
import type { MailSender } from './notifications/mail.ts';
import type { WebhookSender } from './notifications/webhook.ts';

/** What delivering needs of the process that does it. */
export interface DeliveryDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly metrics: Pick<WorkerMetrics, 'deliveryTried' | 'alertOpened'>;
  readonly secretBox: SecretBox;
  readonly webhooks: WebhookSender;
  /** Null: no mail server is configured, and mails are skipped. */
  readonly mails: MailSender | null;
  readonly listener: DeliveryListener;
  /** Shared by all repeats of this process. */
  readonly slots: DeliverySlots;
  /** Aborted when the process wants to stop: dispatchers end what they began, and no more. */
  readonly stopping: AbortSignal;
}
