import { type ActBy, type AdministrativeAct, logAct } from './audit-logs.ts';
import type { Database } from './database.ts';

/** An operator's key to keep: never the secret itself. */
export interface NewOperatorKey {
  readonly keyId: string;
  readonly secretHash: string;
  readonly name: string;
  /** Null: all that operators' keys may have by default. */
  readonly permissions: readonly string[] | null;
  /** Absent or null: never. */
  readonly expiresAt?: Date | null;
}

/** Stores an operator's key and writes the act down. Returns what the key may do. */
export async function makeOperatorKey(
  db: Database,
  { keyId, secretHash: keySecretHash, name, permissions, expiresAt = null }: NewOperatorKey,
  by: ActBy,
): Promise<readonly string[]> {
  return db.prisma.$transaction(async (tx) => {
    const given = permissions === null ? {} : { permissions: [...permissions] };
    const times = { expiresAt, createdAt: by.at, updatedAt: by.at };
    const data = { id: `opk_${keyId}`, keyId, keySecretHash, name, ...given, ...times };
    const row = await tx.operatorKey.create({ data });
    const changes = { permissions: row.permissions, expires_at: expiresAt };
    await logAct(tx, actOn(row.id, 'operator_key.created', changes, by));
    return row.permissions;
  });
}

/** Ends an operator's key at once and writes the act down. False when there is no such active key. */
export async function revokeOperatorKey(db: Database, keyId: string, by: ActBy): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const data = { status: 'revoked', updatedAt: by.at };
    const [ended] = await tx.operatorKey.updateManyAndReturn({ where: { keyId, status: 'active' }, data });
    if (ended === undefined) return false;
    await logAct(tx, actOn(ended.id, 'operator_key.revoked', { status: 'revoked' }, by));
    return true;
  });
}

/** An operator's key as those see it who manage keys: without its secret. */
export interface ListedOperatorKey {
  readonly key_id: string;
  readonly name: string;
  readonly permissions: readonly string[];
  readonly status: string;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly usage_count: number;
  readonly created_at: Date;
}

/** All operators' keys, oldest first, revoked ones too. */
export async function listOperatorKeys(db: Database): Promise<ListedOperatorKey[]> {
  const models = await db.prisma.operatorKey.findMany({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
  return models.map(({ name, permissions, status, ...model }) => ({
    key_id: model.keyId,
    name,
    permissions,
    status,
    expires_at: model.expiresAt,
    last_used_at: model.lastUsedAt,
    usage_count: Number(model.usageCount),
    created_at: model.createdAt,
  }));
}

function actOn(id: string, action: string, changes: AdministrativeAct['changes'], by: ActBy): AdministrativeAct {
  const about = { resourceType: 'operator_key', resourceId: id, merchantId: null, isTest: null } as const;
  return { ...by, ...about, action, changes };
}
