import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ApiDeps } from '../../api/deps.ts';
import type { PaymentClient } from '../../api/temporal/payment-client.ts';
import { type ApiServer, startApi } from './api-server.ts';
import { startDatabase, type TestDatabase } from './database.ts';

/** What an API is given instead of the usual; the payments' workflows as far as the test plays them. */
type Given = Partial<Omit<ApiDeps, 'payments'>> & { readonly payments?: Partial<PaymentClient> };

/** A database for all tests of the file that calls this at its top. It is there from `beforeAll` on. */
export function databaseUnderTest(): TestDatabase {
  const database = {} as TestDatabase;
  beforeAll(async () => {
    Object.assign(database, await startDatabase());
  });
  afterAll(() => database.close?.());
  return database;
}

/** An API on that database for all tests of the file that calls this at its top. It is there from `beforeAll` on. */
export function apiOn(database: TestDatabase, { payments, ...others }: Given = {}): ApiServer {
  const api = {} as ApiServer;
  beforeAll(async () => {
    Object.assign(api, await startApi(database, payments, others));
  });
  afterAll(() => api.close?.());
  return api;
}

/** An API on a database of its own for all tests of the file that calls this at its top. Both are there from `beforeAll` on. */
export function apiUnderTest(given: Given = {}) {
  const database = databaseUnderTest();
  return { database, api: apiOn(database, given) };
}

/** A merchant with a key, another one in each test. */
interface TestMerchant {
  readonly id: string;
  readonly key: string;
}

/** A new merchant before each test, with a key of the test mode unless told otherwise. */
export function merchantPerTest(api: ApiServer, { isTest = true } = {}): TestMerchant {
  const merchant = { id: '', key: '' };
  beforeEach(async () => {
    const id = `mer_${randomUUID()}`;
    Object.assign(merchant, { id, key: await api.keyFor(id, { isTest }) });
  });
  return merchant;
}
