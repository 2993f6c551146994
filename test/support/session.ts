import { argon2Sync, randomBytes } from 'node:crypto';
import type { Database } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { type AccessTokens, createAccessTokens } from '../../runtime/access-token.ts';
import { base32 } from '../../workflows/domain/ids.ts';

/** The password of users that `sessionFor` makes. */
export const testPassword = 'correct horse battery';

/** Its hash, at so little cost that tests may guess wrongly by the hundred. */
const testPasswordHash = cheapHash(testPassword);

function cheapHash(password: string): string {
  const nonce = randomBytes(16);
  const cost = { memory: 8, passes: 1, parallelism: 1, tagLength: 32 };
  const hash = argon2Sync('argon2id', { message: password, nonce, ...cost });
  const [salt, text] = [nonce, hash].map((bytes) => bytes.toString('base64').replaceAll('=', ''));
  return `$argon2id$v=19$m=8,t=1,p=1$${salt}$${text}`;
}

/** Whose session it is. */
export interface SessionOf {
  /** Made unless it is there; null: one of the platform's own people. */
  readonly merchantId: string | null;
  readonly role: string;
  readonly isTest?: boolean;
  readonly hasTotp?: boolean;
  /** What the session may do at most; by default all that the role allows. */
  readonly permissions?: readonly string[];
  /** A user that is there; made otherwise, with the other members where the test cares. */
  readonly userId?: string;
  readonly email?: string;
  readonly name?: string;
}

/** An open session. */
export interface TestSession {
  readonly userId: string;
  readonly email: string;
  readonly sessionId: string;
  /** The access token, for `Authorization: Bearer`. */
  readonly token: string;
}

/** Access tokens of a test: give them to `startApi` as well. */
export function testAccessTokens(): AccessTokens {
  return createAccessTokens(new Map([['test', randomBytes(32)]]), 'payment-orchestrator');
}

/** Makes an active user of this role with an open session and its access token, in the database alone. */
export async function sessionFor(db: Database, accessTokens: AccessTokens, of: SessionOf): Promise<TestSession> {
  const { merchantId, role, isTest = true, hasTotp = merchantId === null } = of;
  if (merchantId !== null) await createMerchant(db, { id: merchantId, name: merchantId });
  const userId = of.userId ?? randomId('usr');
  const email = of.email ?? `${userId}@example.com`;
  if (of.userId === undefined) {
    const data = { id: userId, merchantId, email, name: of.name ?? null, role, passwordHash: testPasswordHash };
    await db.prisma.user.create({ data: { ...data, status: 'active', invitedBy: 'system' } });
  }
  const sessionId = randomId('ses');
  const now = new Date();
  const expiresAt = new Date(now.getTime() + 3_600_000);
  const permissions = [...(of.permissions ?? [])];
  await db.prisma.authSession.create({
    data: { id: sessionId, userId, merchantId, isTest, hasTotp, permissions, createdAt: now, expiresAt },
  });
  const { text: token } = await accessTokens.issue({ subject: userId, sessionId }, now);
  return { userId, email, sessionId, token };
}

function randomId(prefix: string): string {
  return `${prefix}_${base32(randomBytes(17), 130)}`;
}
