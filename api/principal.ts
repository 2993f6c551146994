import type { ApiKeyRecord, KeyLimits, KeyRules } from '../prisma/credentials.ts';
import type { MerchantSettings } from '../prisma/merchant-settings.ts';
import type { MerchantScope } from '../prisma/payments.ts';

/** By what it was proven who calls. */
export type Credential =
  | { readonly kind: 'api_key'; readonly keyId: string; readonly key: ApiKeyRecord }
  | { readonly kind: 'operator_key'; readonly keyId: string; readonly expiresAt: Date | null }
  | {
      readonly kind: 'session';
      readonly sessionId: string;
      /** Null: an API key opened it. */
      readonly userId: string | null;
      readonly role: string | null;
      readonly hasTotp: boolean;
      /** The key that opened it, whose rules hold for it too. */
      readonly key: ApiKeyRecord | null;
      /** When the access token ends, in seconds since 1970. */
      readonly expiresAt: number;
    };

/** A merchant's key or user, in one mode. */
export interface Caller extends MerchantScope {
  readonly kind: 'merchant';
  /** As audit trail and audit log name it. */
  readonly actor: string;
  readonly permissions: readonly string[];
  readonly settings: MerchantSettings;
  readonly credential: Credential;
}

/** Somebody who acts for the platform: sees and decides what belongs to any merchant, as far as their permissions go. */
export interface Operator {
  readonly kind: 'platform';
  readonly actor: string;
  readonly permissions: readonly string[];
  readonly credential: Credential;
}

/** Who calls. */
export type Principal = Caller | Operator;

/** What its credential may be used for: an API key's rules, also for the tokens that it asked for; null: a person, or an operator's key. */
export function rulesOf({ credential }: Principal): (KeyRules & KeyLimits) | null {
  return credential.kind === 'operator_key' ? null : credential.key;
}
