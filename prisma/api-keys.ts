import { isDeepStrictEqual } from 'node:util';
import type { AllowedHours } from '../workflows/domain/allowed-hours.ts';
import { type ActBy, bySystem, logAct } from './audit-logs.ts';
import type { Database } from './database.ts';
import { type ApiKey, Prisma } from './generated/client.ts';
import { lockMerchant } from './merchants.ts';
import { newestFirst, type Page } from './page.ts';
import type { MerchantScope } from './payments.ts';

/** What the database keeps of a new key: never the secret itself. */
export interface NewKey {
  readonly keyId: string;
  readonly secretHash: string;
}

/** All of a key that can be changed. */
export interface KeyTerms {
  readonly name: string;
  readonly description: string | null;
  readonly permissions: readonly string[];
  readonly rateLimitPerMinute: number;
  readonly rateLimitPerHour: number;
  readonly rateLimitPerDay: number;
  /** Networks in CIDR that it may be used from, all if empty; and those that it may not. */
  readonly ipWhitelist: readonly string[];
  readonly ipBlacklist: readonly string[];
  readonly expiresAt: Date | null;
  /** Null: always. */
  readonly allowedHours: AllowedHours | null;
  readonly requiresSignature: boolean;
}

/** A key's row, but for its secrets. */
export interface ApiKeyRow extends KeyTerms {
  readonly id: string;
  readonly keyId: string;
  /** Of the request that made it; null: no request did. */
  readonly requestHash: string | null;
  readonly hasSigningSecret: boolean;
  readonly status: 'active' | 'revoked';
  readonly lastUsedAt: Date | null;
  readonly usageCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly revokedAt: Date | null;
  readonly createdBy: string;
  readonly isTest: boolean;
}

/** By what a change of keys is asked for: a key, or a session of a user's or a key's. */
export interface GiverIds {
  readonly keyId: string | null;
  readonly sessionId: string | null;
}

/**
 * Who asks for it, read again while nobody else can change a key of the merchant: so nobody gives what was taken from them a
 * moment ago. A key, or the role of a user.
 */
export interface Giver {
  readonly key: ApiKeyRow | null;
  readonly role: string | null;
}

/** How many keys of a merchant may be active at a time, in each mode. */
const activeMax = 20;

/** How many requests a key may make where nobody says how many, and at most. The table has the same defaults and checks. */
export const keyLimits = {
  rateLimitPerMinute: { usual: 100, max: 1_000_000 },
  rateLimitPerHour: { usual: 1_000, max: 60_000_000 },
  rateLimitPerDay: { usual: 10_000, max: 1_000_000_000 },
} as const;

/** As many requests as there can be. */
export const unlimited = {
  rateLimitPerMinute: keyLimits.rateLimitPerMinute.max,
  rateLimitPerHour: keyLimits.rateLimitPerHour.max,
  rateLimitPerDay: keyLimits.rateLimitPerDay.max,
} as const satisfies Partial<KeyTerms>;

/** Terms that name nothing but what the key is for and what it may do. */
export function usualTerms(name: string, permissions: readonly string[]): KeyTerms {
  return {
    name,
    description: null,
    permissions,
    rateLimitPerMinute: keyLimits.rateLimitPerMinute.usual,
    rateLimitPerHour: keyLimits.rateLimitPerHour.usual,
    rateLimitPerDay: keyLimits.rateLimitPerDay.usual,
    ipWhitelist: [],
    ipBlacklist: [],
    expiresAt: null,
    allowedHours: null,
    requiresSignature: false,
  };
}

/** Stores a merchant's key for the product itself, however many there are; with the usual limits unless `isUnlimited`. */
export async function storeApiKey(
  db: Database,
  merchantId: string,
  key: NewKey & {
    readonly name: string;
    readonly isTest: boolean;
    readonly permissions: readonly string[];
    readonly isUnlimited?: boolean;
  },
): Promise<void> {
  const { keyId, secretHash, name, permissions, isTest, isUnlimited = false } = key;
  const terms = { ...usualTerms(name, permissions), ...(isUnlimited && unlimited), signingSecret: null };
  const unasked = { keyId, secretHash, idempotencyKey: null, requestHash: null };
  await db.prisma.$transaction((tx) => insertKey(tx, { merchantId, isTest }, unasked, terms, bySystem(new Date())));
}

/** A key to make for a request, or with null for both of what is the request's, without one. */
export interface RequestedKey extends NewKey {
  readonly idempotencyKey: string | null;
  readonly requestHash: string | null;
}

/** Terms with the encrypted signing secret, null for none. */
type NewKeyTerms = KeyTerms & { readonly signingSecret: string | null };

/** Stores a key and writes the act down. */
async function insertKey(
  tx: Prisma.TransactionClient,
  { merchantId, isTest }: MerchantScope,
  { keyId, secretHash: keySecretHash, idempotencyKey, requestHash }: RequestedKey,
  { signingSecret, ...terms }: NewKeyTerms,
  by: ActBy,
): Promise<ApiKeyRow> {
  const id = `key_${keyId}`;
  const asked = { idempotencyKey, requestHash, createdBy: by.actor, createdAt: by.at, updatedAt: by.at };
  const data = { ...asked, ...dataOf(terms), id, keyId, keySecretHash, merchantId, isTest, signingSecret };
  const model = await tx.apiKey.create({ data });
  const changes = { ...loggable(terms), has_signing_secret: signingSecret !== null };
  await logAct(tx, { ...by, ...actOn(model), action: 'api_key.created', changes });
  return rowOf(model);
}

/** `existing`: this idempotency key has made one already, perhaps for another request. `full`: nothing was stored. */
export type MadeApiKey = { readonly kind: 'made' | 'existing'; readonly key: ApiKeyRow } | { readonly kind: 'full' };

/**
 * Makes a key unless its idempotency key has made one, or the merchant has 20 active ones in this mode. `termsFor` says what it
 * will be, given who asks (null: their key or session has ended by now); what it throws leaves everything as it was.
 */
export async function createApiKey(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  requested: RequestedKey,
  giverIds: GiverIds,
  by: ActBy,
  termsFor: (giver: Giver | null) => NewKeyTerms,
): Promise<MadeApiKey> {
  return inTurn(db, merchantId, async (tx) => {
    const { idempotencyKey } = requested;
    const where = { merchantId, isTest, idempotencyKey };
    const existing = idempotencyKey === null ? null : await tx.apiKey.findFirst({ where });
    if (existing !== null) return { kind: 'existing', key: rowOf(existing) };
    const terms = termsFor(await readGiver(tx, giverIds));
    if (await isFull(tx, { merchantId, isTest }, by.at)) return { kind: 'full' };
    return { kind: 'made', key: await insertKey(tx, { merchantId, isTest }, requested, terms, by) };
  });
}

/** `full`: it would be active again, as one too many; nothing was changed. */
export type ChangedApiKey = { readonly kind: 'changed'; readonly key: ApiKeyRow } | { readonly kind: 'full' };

/**
 * Changes a key of this merchant in this mode; null: there is none. `changesFor` says how, given who asks (null: their key or
 * session has ended by now) and the key; what it throws leaves everything as it was. What is the same already is no change.
 */
export async function changeApiKey(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  id: string,
  giverIds: GiverIds,
  by: ActBy,
  changesFor: (giver: Giver | null, key: ApiKeyRow) => Partial<KeyTerms>,
): Promise<ChangedApiKey | null> {
  return inTurn(db, merchantId, async (tx) => {
    const model = await tx.apiKey.findFirst({ where: { id, merchantId, isTest } });
    if (model === null) return null;
    const key = rowOf(model);
    const changes = differing(key, changesFor(await readGiver(tx, giverIds), key));
    if (Object.keys(changes).length === 0) return { kind: 'changed', key };
    const revives = !isActive(model, by.at) && isActive({ ...model, ...changes }, by.at);
    if (revives && (await isFull(tx, { merchantId, isTest }, by.at))) return { kind: 'full' };
    const changed = await tx.apiKey.update({ where: { id }, data: { ...dataOf(changes), updatedAt: by.at } });
    const logged = { fields: Object.keys(changes).map(wireName), ...loggable(changes) };
    await logAct(tx, { ...by, ...actOn(model), action: 'api_key.changed', changes: logged });
    return { kind: 'changed', key: rowOf(changed) };
  });
}

/** Ends a key of this merchant in this mode at once and returns it; null: there is none. One that has ended stays as it was. */
export async function endApiKey(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  id: string,
  by: ActBy,
): Promise<ApiKeyRow | null> {
  return inTurn(db, merchantId, async (tx) => {
    const model = await tx.apiKey.findFirst({ where: { id, merchantId, isTest } });
    if (model?.status !== 'active') return model === null ? null : rowOf(model);
    const data = { status: 'revoked', revokedAt: by.at, updatedAt: by.at };
    const ended = await tx.apiKey.update({ where: { id }, data });
    await logAct(tx, { ...by, ...actOn(model), action: 'api_key.revoked', changes: { status: 'revoked' } });
    return rowOf(ended);
  });
}

/** For operators: ends a key of any merchant at once. False when there is no such active key. */
export async function revokeApiKey(db: Database, keyId: string, by: ActBy): Promise<boolean> {
  const key = await db.prisma.apiKey.findUnique({ where: { keyId } });
  if (key?.status !== 'active') return false;
  return (await endApiKey(db, key, key.id, by)) !== null;
}

/** A key of this merchant in this mode, or null. */
export async function readApiKey(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  id: string,
): Promise<ApiKeyRow | null> {
  const model = await db.prisma.apiKey.findFirst({ where: { id, merchantId, isTest } });
  return model === null ? null : rowOf(model);
}

/** Keys of this merchant in this mode, newest first, after a position; ended ones too. */
export async function listApiKeys(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  page: Page,
): Promise<ApiKeyRow[]> {
  const { where, ...order } = newestFirst(page);
  const models = await db.prisma.apiKey.findMany({ where: { merchantId, isTest, ...where }, ...order });
  return models.map(rowOf);
}

/** Does it while no other key of the merchant changes: two requests would both find room. */
async function inTurn<Result>(
  db: Database,
  merchantId: string,
  work: (tx: Prisma.TransactionClient) => Promise<Result>,
): Promise<Result> {
  return db.prisma.$transaction(async (tx) => {
    await lockMerchant(tx, merchantId);
    return work(tx);
  });
}

async function readGiver(tx: Prisma.TransactionClient, { keyId, sessionId }: GiverIds): Promise<Giver | null> {
  const key = keyId === null ? null : await tx.apiKey.findUnique({ where: { keyId } });
  const session =
    sessionId === null
      ? null
      : await tx.authSession.findUnique({
          where: { id: sessionId },
          include: { user: { select: { role: true, status: true } } },
        });
  if (keyId !== null && key?.status !== 'active') return null;
  if (sessionId !== null && session?.revokedAt !== null) return null;
  if (session?.user && session.user.status !== 'active') return null;
  return { key: key === null ? null : rowOf(key), role: session?.user?.role ?? null };
}

async function isFull(
  tx: Prisma.TransactionClient,
  { merchantId, isTest }: MerchantScope,
  now: Date,
): Promise<boolean> {
  const isNotOver = { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
  return (await tx.apiKey.count({ where: { merchantId, isTest, status: 'active', ...isNotOver } })) >= activeMax;
}

function isActive({ status, expiresAt }: { status: string; expiresAt: Date | null }, now: Date): boolean {
  return status === 'active' && (expiresAt === null || expiresAt > now);
}

function differing(key: KeyTerms, changes: Partial<KeyTerms>): Partial<KeyTerms> {
  const before: Readonly<Record<string, unknown>> = { ...key };
  return Object.fromEntries(
    Object.entries(changes).filter(([name, value]) => value !== undefined && !isDeepStrictEqual(before[name], value)),
  );
}

/** Terms as Prisma stores them. */
function dataOf<Terms extends Partial<KeyTerms>>(terms: Terms) {
  const { permissions, ipWhitelist, ipBlacklist, allowedHours, ...others } = terms;
  const hours = allowedHours === null ? Prisma.DbNull : { ...allowedHours };
  return {
    ...others,
    ...(permissions && { permissions: [...permissions] }),
    ...(ipWhitelist && { ipWhitelist: [...ipWhitelist] }),
    ...(ipBlacklist && { ipBlacklist: [...ipBlacklist] }),
    ...(allowedHours !== undefined && { allowedHours: hours }),
  };
}

/** `rateLimitPerDay` → `rate_limit_per_day`. */
function wireName(member: string): string {
  return member.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What may stand in the log: of lists how long they are, of texts only that they changed. */
function loggable(terms: Partial<KeyTerms>): Record<string, unknown> {
  const { permissions, ipWhitelist, ipBlacklist, expiresAt, requiresSignature } = terms;
  const { rateLimitPerMinute, rateLimitPerHour, rateLimitPerDay, allowedHours } = terms;
  const said = {
    permissions,
    rate_limit_per_minute: rateLimitPerMinute,
    rate_limit_per_hour: rateLimitPerHour,
    rate_limit_per_day: rateLimitPerDay,
    ip_whitelist_length: ipWhitelist?.length,
    ip_blacklist_length: ipBlacklist?.length,
    expires_at: expiresAt,
    allowed_hours: allowedHours,
    requires_signature: requiresSignature,
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function actOn({ id, merchantId, isTest }: Pick<ApiKey, 'id' | 'merchantId' | 'isTest'>) {
  return { resourceType: 'api_key', resourceId: id, merchantId, isTest } as const;
}

function rowOf(model: ApiKey): ApiKeyRow {
  const { keySecretHash: _hash, signingSecret, merchantId: _merchant, idempotencyKey: _key, ...row } = model;
  return {
    ...row,
    status: row.status === 'active' ? 'active' : 'revoked',
    allowedHours: row.allowedHours as AllowedHours | null,
    hasSigningSecret: signingSecret !== null,
    usageCount: Number(row.usageCount),
  };
}
