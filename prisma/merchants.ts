import type { Database } from './database.ts';
import { type MerchantSettings, merchantSettingsSchema, readMerchantSettings } from './merchant-settings.ts';

/** Makes a merchant with an id of the caller's choice and returns it; the same id again changes nothing. */
export async function createMerchant(db: Database, merchant: { id: string; name: string }): Promise<{ id: string }> {
  return db.prisma.merchant.upsert({
    where: { id: merchant.id },
    create: { id: merchant.id, name: merchant.name },
    update: {},
    select: { id: true },
  });
}

/** Changes the given settings and returns all of them. Throws a zod error that names what is not allowed. */
export async function changeMerchantSettings(
  db: Database,
  merchantId: string,
  changes: unknown,
): Promise<MerchantSettings> {
  const checked = merchantSettingsSchema.partial().parse(changes);
  return db.prisma.$transaction(async (tx) => {
    const rows = await tx.$queryRaw<{ settings: object }[]>`
      SELECT settings FROM merchants WHERE id = ${merchantId} FOR UPDATE`;
    if (rows[0] === undefined) throw new Error(`There is no merchant ${merchantId}.`);
    const given = Object.fromEntries(
      Object.keys(Object(changes)).map((key) => [key, checked[key as keyof typeof checked]]),
    );
    const settings = { ...rows[0].settings, ...given };
    const complete = readMerchantSettings(settings);
    await tx.merchant.update({ where: { id: merchantId }, data: { settings } });
    return complete;
  });
}

/** All merchants, oldest first. */
export async function listMerchants(db: Database): Promise<{ id: string; name: string; status: string }[]> {
  return db.prisma.merchant.findMany({
    select: { id: true, name: true, status: true },
    orderBy: { createdAt: 'asc' },
  });
}
