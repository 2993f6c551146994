import { type ActOrigin, type AdministrativeAct, logAct } from './audit-logs.ts';
import type { Database } from './database.ts';

/** An operator's key to keep: never the secret itself. */
export interface NewOperatorKey {
  readonly keyId: string;
  readonly secretHash: string;
  readonly name: string;
  /** Null: all that operators' keys may have by default. */
  readonly permissions: readonly string[] | null;
}

/** Stores an operator's key and writes the act down. Returns what the key may do. */
export async function makeOperatorKey(
  db: Database,
  { keyId, secretHash: keySecretHash, name, permissions }: NewOperatorKey,
  from: ActOrigin,
): Promise<readonly string[]> {
  return db.prisma.$transaction(async (tx) => {
    const given = permissions === null ? {} : { permissions: [...permissions] };
    const row = await tx.operatorKey.create({ data: { id: `opk_${keyId}`, keyId, keySecretHash, name, ...given } });
    await logAct(tx, actOn(row.id, 'operator_key.created', { permissions: row.permissions }, from));
    return row.permissions;
  });
}

/** Ends an operator's key at once and writes the act down. False when there is no such active key. */
export async function revokeOperatorKey(db: Database, keyId: string, from: ActOrigin): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const data = { status: 'revoked', updatedAt: from.at };
    const [ended] = await tx.operatorKey.updateManyAndReturn({ where: { keyId, status: 'active' }, data });
    if (ended === undefined) return false;
    await logAct(tx, actOn(ended.id, 'operator_key.revoked', { status: 'revoked' }, from));
    return true;
  });
}

function actOn(id: string, action: string, changes: AdministrativeAct['changes'], from: ActOrigin): AdministrativeAct {
  const about = { resourceType: 'operator_key', resourceId: id, merchantId: null, isTest: null } as const;
  return { ...from, ...about, action, changes };
}
