import { isDeepStrictEqual } from 'node:util';
import { type ActBy, type AdministrativeAct, bySystem, logAct } from './audit-logs.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Prisma } from './generated/client.ts';
import {
  type MerchantSettings,
  readMerchantSettings,
  type SettingChanges,
  settingChangesSchema,
} from './merchant-settings.ts';
import type { Page } from './page.ts';

export const merchantStatuses = ['active', 'suspended'] as const;

type MerchantStatus = (typeof merchantStatuses)[number];

/** A merchant as its row has it. */
export interface MerchantRow {
  readonly id: string;
  readonly name: string;
  readonly status: MerchantStatus;
  /** All of them, those that nobody changed too. */
  readonly settings: MerchantSettings;
  /** Of the request that made it; null: no request did. */
  readonly request_hash: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Makes a merchant with an id of the caller's choice and returns it; the same id again changes nothing. */
export async function createMerchant(db: Database, merchant: { id: string; name: string }): Promise<{ id: string }> {
  await db.prisma.merchant.createMany({ data: { id: merchant.id, name: merchant.name }, skipDuplicates: true });
  return { id: merchant.id };
}

/** A merchant to make. */
export interface NewMerchant {
  readonly id: string;
  readonly name: string;
  readonly settings: SettingChanges;
  /** Both null where no request asks for it. */
  readonly idempotencyKey: string | null;
  readonly requestHash: string | null;
}

/** `existing`: this id has a row already, perhaps of another request. */
export interface MadeMerchant {
  readonly kind: 'made' | 'existing';
  readonly merchant: MerchantRow;
}

/** Makes a merchant and writes the act down, unless its id has one. */
export async function makeMerchant(db: Database, merchant: NewMerchant, by: ActBy): Promise<MadeMerchant> {
  const { id, name, idempotencyKey, requestHash } = merchant;
  const settings = given(merchant.settings);
  return db.prisma.$transaction(async (tx) => {
    const inserted = await tx.$executeRaw`
      INSERT INTO merchants (id, name, settings, idempotency_key, request_hash, created_at, updated_at)
      VALUES (${id}, ${name}, ${JSON.stringify(settings)}::jsonb, ${idempotencyKey}, ${requestHash}, ${by.at}, ${by.at})
      ON CONFLICT DO NOTHING`;
    const row = rowOf(await tx.merchant.findUniqueOrThrow({ where: { id } }));
    if (inserted === 0) return { kind: 'existing', merchant: row };
    await logAct(tx, actOn(id, 'merchant.created', { settings: Object.keys(settings) }, by));
    return { kind: 'made', merchant: row };
  });
}

/** What can be changed of a merchant; what is absent stays as it is. */
export interface MerchantChanges {
  readonly name?: string | undefined;
  readonly status?: MerchantStatus | undefined;
  readonly settings?: SettingChanges | undefined;
}

/**
 * Changes a merchant and writes down what changed, by name, in one transaction; nothing of either where nothing differs.
 * Returns the merchant as it is then; null: there is none. Every process hears of a new state or setting within a second.
 */
export async function changeMerchant(
  db: Database,
  merchantId: string,
  changes: MerchantChanges,
  by: ActBy,
): Promise<MerchantRow | null> {
  return db.prisma.$transaction(async (tx) => {
    if (!(await lockMerchant(tx, merchantId))) return null;
    const stored = await tx.merchant.findUniqueOrThrow({ where: { id: merchantId } });
    const before: Readonly<Record<string, unknown>> = Object(stored.settings);
    const wanted = given(changes.settings ?? {});
    const changed = Object.keys(wanted).filter((name) => !isDeepStrictEqual(before[name], wanted[name]));
    const { name = stored.name, status = stored.status } = changes;
    const data = {
      ...(name !== stored.name && { name }),
      ...(status !== stored.status && { status }),
      ...(changed.length > 0 && { settings: { ...before, ...wanted } as Prisma.InputJsonObject }),
    };
    if (Object.keys(data).length === 0) return rowOf(stored);
    const row = rowOf(await tx.merchant.update({ where: { id: merchantId }, data: { ...data, updatedAt: by.at } }));
    const named = { fields: Object.keys(data), settings: changed, ...('status' in data && { status: row.status }) };
    await logAct(tx, actOn(merchantId, actionOf(data.status), named, by));
    return row;
  });
}

/**
 * Holds the merchant until the transaction ends: changes of it, and of what it has only so much of, come one after another.
 * Payments refer to its row and do not wait. False: there is none.
 */
export async function lockMerchant(tx: Prisma.TransactionClient, merchantId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`SELECT 1 FROM merchants WHERE id = ${merchantId} FOR NO KEY UPDATE`;
  return rows.length === 1;
}

/** For whoever runs a command that names a merchant. */
export function noSuchMerchant(merchantId: string): Error {
  return new Error(`There is no merchant ${merchantId}: list-merchants shows all.`);
}

function actionOf(status: string | undefined): string {
  if (status === undefined) return 'merchant.changed';
  return status === 'active' ? 'merchant.activated' : 'merchant.suspended';
}

function actOn(id: string, action: string, changes: AdministrativeAct['changes'], by: ActBy): AdministrativeAct {
  return { ...by, action, resourceType: 'merchant', resourceId: id, merchantId: id, isTest: null, changes };
}

/** As JSON has them: without members that are undefined. */
function given(settings: SettingChanges): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Changes the given settings and returns all of them. Throws a zod error that names what is not allowed. */
export async function changeMerchantSettings(
  db: Database,
  merchantId: string,
  changes: unknown,
  by: ActBy = bySystem(new Date()),
): Promise<MerchantSettings> {
  const merchant = await changeMerchant(db, merchantId, { settings: settingChangesSchema.parse(changes) }, by);
  if (merchant === null) throw noSuchMerchant(merchantId);
  return merchant.settings;
}

function rowOf(model: {
  id: string;
  name: string;
  status: string;
  settings: unknown;
  requestHash: string | null;
  createdAt: Date;
  updatedAt: Date;
}): MerchantRow {
  return {
    id: model.id,
    name: model.name,
    status: model.status === 'active' ? 'active' : 'suspended',
    settings: readMerchantSettings(model.settings),
    request_hash: model.requestHash,
    created_at: model.createdAt,
    updated_at: model.updatedAt,
  };
}

/** The merchant with this id, or null. */
export async function findMerchant(db: Database, merchantId: string): Promise<MerchantRow | null> {
  const model = await db.prisma.merchant.findUnique({ where: { id: merchantId } });
  return model === null ? null : rowOf(model);
}

/** Which merchants; what is absent does not count. */
export interface MerchantFilters {
  readonly status?: MerchantStatus | undefined;
}

const conditions: Conditions<MerchantFilters> = { status: (mark) => `m.status = ${mark}` };

/** Merchants, newest first, those behind `after` only, at most `limit`. */
export async function findMerchants(db: Database, filters: MerchantFilters, page: Page): Promise<MerchantRow[]> {
  const own = [page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? 'true' : '(m.created_at, m.id) < ($2::timestamptz, $3)';
  const statement = {
    name: `list_merchants_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT m.id, m.name, m.status, m.settings, m.request_hash, m.created_at, m.updated_at FROM merchants m
      WHERE ${behind}${where.sql}
      ORDER BY m.created_at DESC, m.id DESC LIMIT $1`,
  };
  const rows = await run<MerchantRow>(db, statement, [...own, ...where.values]);
  return rows.map((row) => ({ ...row, settings: readMerchantSettings(row.settings) }));
}

/** All merchants, oldest first. */
export async function listMerchants(db: Database): Promise<{ id: string; name: string; status: string }[]> {
  return db.prisma.merchant.findMany({
    select: { id: true, name: true, status: true },
    orderBy: { createdAt: 'asc' },
  });
}
