import type { AddressGuard } from '../runtime/address-guard.ts';
import type { SecretBox } from '../runtime/secret-box.ts';

/** What the routes of webhooks need of the process. */
export interface WebhookDeps {
  /** Encrypts the secrets that webhooks are signed with. */
  readonly secretBox: SecretBox;
  /** Decides where webhooks may go. */
  readonly addressGuard: AddressGuard;
}
