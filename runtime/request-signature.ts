import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** What a signature is made over. */
export interface SignedRequest {
  /** Seconds since 1970, as the header has them. */
  readonly timestamp: string;
  readonly nonce: string;
  /** In capitals. */
  readonly method: string;
  /** Path and query as they are sent. */
  readonly target: string;
  /** The header `Idempotency-Key` as it is sent, quotes and all; empty where there is none. */
  readonly idempotencyKey: string;
  /** As it is sent, of no bytes where there is none; or its SHA-256 in hex, where it is too large to be at hand. */
  readonly body: Uint8Array | { readonly sha256: string };
}

/** How far a request's clock may be from ours, either way. */
export const toleranceSeconds = 300;

/** `v1=` and the HMAC-SHA256 in hex, keyed with the signing secret as its holder was shown it. */
export function signRequest(secret: string, request: SignedRequest): string {
  const { timestamp, nonce, method, target, idempotencyKey, body } = request;
  const bodyHash = 'sha256' in body ? body.sha256 : createHash('sha256').update(body).digest('hex');
  const signed = ['v1', timestamp, nonce, method, target, idempotencyKey, bodyHash].join('\n');
  return `v1=${createHmac('sha256', secret).update(signed).digest('hex')}`;
}

/** Whether the secret made this signature over this very request. Takes the same time however much of it is right. */
export function isSignedWith(secret: string, request: SignedRequest, signature: string): boolean {
  const expected = Buffer.from(signRequest(secret, request));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
