import { randomBytes } from 'node:crypto';

/** How long an access token is good for. */
export const tokenSeconds = 32_400;

/** The access tokens that PayPal gave out, in memory only: after a restart the old ones are refused, and the client
 * fetches another. */
export class AccessTokens {
  private readonly expiresAtMs = new Map<string, number>();

  /** A new token. */
  issue(): string {
    const now = Date.now();
    for (const [token, expiresAt] of this.expiresAtMs) if (expiresAt <= now) this.expiresAtMs.delete(token);
    const token = `A21AA${randomBytes(32).toString('base64url')}`;
    this.expiresAtMs.set(token, now + tokenSeconds * 1_000);
    return token;
  }

  /** Whether the token was given out and has not expired. */
  isGood(token: string): boolean {
    return (this.expiresAtMs.get(token) ?? 0) > Date.now();
  }
}
