import type { ActBy } from './audit-logs.ts';
import { type Database, run } from './database.ts';
import { endSessions } from './sessions.ts';
import { logUserAct } from './users.ts';

/** An address counts as known to a user for so many days after a login from it. */
export const familiarDays = 90;

/** Whose password may be tried. */
export interface LoginRow {
  readonly id: string;
  readonly merchant_id: string | null;
  readonly role: string;
  readonly status: 'invited' | 'active' | 'suspended';
  /** Null: the invitation was never accepted. */
  readonly password_hash: string | null;
  /** Encrypted for the user's id; null unless it is confirmed. */
  readonly totp_secret: string | null;
  /** Null for the platform's own people. */
  readonly merchant_status: string | null;
  /** Whether this user has logged in from the address lately. */
  readonly is_familiar: boolean;
}

const selectLogin = {
  name: 'select_login',
  text: `
    SELECT u.id, u.merchant_id, u.role, u.status, u.password_hash, m.status AS merchant_status,
      CASE WHEN u.totp_confirmed_at IS NOT NULL THEN u.totp_secret END AS totp_secret,
      EXISTS (
        SELECT FROM login_addresses a WHERE a.user_id = u.id AND a.address_hash = $3
          AND a.last_login_at > $4::timestamptz - make_interval(days => ${familiarDays})) AS is_familiar
    FROM users u LEFT JOIN merchants m ON m.id = u.merchant_id
    WHERE coalesce(u.merchant_id, '') = coalesce($1, '') AND u.merchant_id IS NOT DISTINCT FROM $1
      AND lower(u.email) = lower($2)`,
};

/** The user with this e-mail address, whatever their state, at a merchant, or with null at the platform; null: there is none. */
export async function findLogin(
  db: Database,
  merchantId: string | null,
  email: string,
  from: { readonly addressHash: string; readonly now: Date },
): Promise<LoginRow | null> {
  const [row] = await run<LoginRow>(db, selectLogin, [merchantId, email, from.addressHash, from.now]);
  return row ?? null;
}

const record = {
  name: 'record_login',
  text: `
    WITH u AS (
      UPDATE users SET last_login_at = $4 WHERE id = $1 AND status = 'active' AND password_hash = $2 RETURNING id
    )
    INSERT INTO login_addresses AS a (user_id, address_hash, last_login_at) SELECT id, $3, $4 FROM u
    ON CONFLICT (user_id, address_hash) DO UPDATE SET last_login_at = greatest(a.last_login_at, excluded.last_login_at)
    RETURNING user_id`,
};

/** Remembers a login and where it came from. False: meanwhile the user was suspended, or has another password. */
export async function recordLogin(
  db: Database,
  userId: string,
  login: { readonly passwordHash: string; readonly addressHash: string; readonly now: Date },
): Promise<boolean> {
  return (await run(db, record, [userId, login.passwordHash, login.addressHash, login.now])).length === 1;
}

const replaceHash = {
  name: 'replace_password_hash',
  text: 'UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 RETURNING id',
};

/** Keeps another hash of the same password. False: the password was changed meanwhile. */
export async function replacePasswordHash(
  db: Database,
  userId: string,
  before: string,
  after: string,
): Promise<boolean> {
  return (await run(db, replaceHash, [userId, before, after])).length === 1;
}

/** What a new password is judged by. */
export interface PasswordOwner {
  readonly email: string;
  readonly name: string | null;
  readonly passwordHash: string | null;
}

/** Whose password it is. */
export async function findPasswordOwner(db: Database, userId: string): Promise<PasswordOwner> {
  const select = { email: true, name: true, passwordHash: true };
  return db.prisma.user.findUniqueOrThrow({ where: { id: userId }, select });
}

/** Changes a password and ends the user's sessions, but for this one. False: it was changed meanwhile. */
export async function changePassword(
  db: Database,
  userId: string,
  change: { readonly before: string | null; readonly after: string; readonly sessionId: string },
  by: ActBy,
): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const [user] = await tx.user.updateManyAndReturn({
      where: { id: userId, passwordHash: change.before },
      data: { passwordHash: change.after, updatedAt: by.at },
      select: { id: true, merchantId: true },
    });
    if (user === undefined) return false;
    await endSessions(tx, userId, 'password_changed', by.at, change.sessionId);
    await logUserAct(tx, user, 'user.password_changed', {}, by);
    return true;
  });
}
