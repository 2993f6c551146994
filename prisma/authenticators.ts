import type { ActBy } from './audit-logs.ts';
import { type Database, run } from './database.ts';
import { endSessions } from './sessions.ts';
import { logUserAct } from './users.ts';

/** A user's second factor. */
export interface Authenticator {
  /** Encrypted for the user's id; null: none is being set up. */
  readonly sealedSecret: string | null;
  readonly isConfirmed: boolean;
}

/** How the second factor of this user stands. */
export async function findAuthenticator(db: Database, userId: string): Promise<Authenticator> {
  const user = await db.prisma.user.findUniqueOrThrow({
    where: { id: userId },
    select: { totpSecret: true, totpConfirmedAt: true },
  });
  return { sealedSecret: user.totpSecret, isConfirmed: user.totpConfirmedAt !== null };
}

/** Keeps a secret until it is confirmed, in place of an earlier one. False: another one is confirmed already. */
export async function beginAuthenticator(db: Database, userId: string, sealedSecret: string): Promise<boolean> {
  const changed = await db.prisma.user.updateMany({
    where: { id: userId, totpConfirmedAt: null },
    data: { totpSecret: sealedSecret },
  });
  return changed.count === 1;
}

/** Confirms the very secret whose code was checked: from now on logins need one. `step` is taken. False: it is not the one any more. */
export async function confirmAuthenticator(
  db: Database,
  userId: string,
  confirmed: { readonly sealedSecret: string; readonly step: number; readonly recoveryCodeHashes: readonly string[] },
  by: ActBy,
): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const [user] = await tx.user.updateManyAndReturn({
      where: { id: userId, totpConfirmedAt: null, totpSecret: confirmed.sealedSecret },
      data: {
        totpConfirmedAt: by.at,
        totpLastStep: confirmed.step,
        recoveryCodeHashes: [...confirmed.recoveryCodeHashes],
      },
      select: { id: true, merchantId: true },
    });
    if (user === undefined) return false;
    await logUserAct(tx, user, 'user.totp_confirmed', {}, by);
    return true;
  });
}

const takeStep = {
  name: 'take_totp_step',
  text: `
    UPDATE users SET totp_last_step = $2
    WHERE id = $1 AND totp_confirmed_at IS NOT NULL AND (totp_last_step IS NULL OR totp_last_step < $2) RETURNING id`,
};

/** Takes the code of this step, once: false when this one, or a later one, was taken before. */
export async function takeTotpStep(db: Database, userId: string, step: number): Promise<boolean> {
  return (await run(db, takeStep, [userId, step])).length === 1;
}

const takeCode = {
  name: 'take_recovery_code',
  text: `
    UPDATE users SET recovery_code_hashes = array_remove(recovery_code_hashes, $2)
    WHERE id = $1 AND totp_confirmed_at IS NOT NULL AND $2 = ANY(recovery_code_hashes) RETURNING id`,
};

/** Takes a recovery code, once: false when the user has none with this hash, or has it no more. */
export async function takeRecoveryCode(db: Database, userId: string, codeHash: string): Promise<boolean> {
  return (await run(db, takeCode, [userId, codeHash])).length === 1;
}

/** For operators: the user of any merchant, or of the platform, logs in without a second factor again. False: there is no such user. */
export async function resetTotp(db: Database, userId: string, by: ActBy): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const [user] = await tx.user.updateManyAndReturn({
      where: { id: userId },
      data: { totpSecret: null, totpConfirmedAt: null, totpLastStep: null, recoveryCodeHashes: [] },
      select: { id: true, merchantId: true },
    });
    if (user === undefined) return false;
    await endSessions(tx, userId, 'totp_reset', by.at);
    await logUserAct(tx, user, 'user.totp_reset', {}, by);
    return true;
  });
}
