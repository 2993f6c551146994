import { type Database, run } from './database.ts';
import { type Feed, type FeedPage, type FeedPosition, type Placed, readRows } from './feed.ts';
import type { MerchantScope } from './payments.ts';

/** A posting as its row has it. */
export interface PostingRow {
  readonly event_id: string;
  readonly account: string;
  readonly payment_id: string;
  readonly object_id: string;
  /** Minor units: a debit is positive, a credit negative. */
  readonly amount: string;
  readonly currency: string;
  readonly created_at: Date;
}

/** Which postings; what is absent does not count. */
export interface PostingFilters {
  readonly paymentId?: string | undefined;
  readonly account?: string | undefined;
  readonly currency?: string | undefined;
}

const postings: Feed<PostingFilters> = {
  table: 'ledger_entries',
  columns: 'e.event_id, e.account, e.payment_id, e.object_id, e.amount::text, e.currency, e.created_at',
  conditions: {
    paymentId: (mark) => `e.payment_id = ${mark}`,
    account: (mark) => `e.account = ${mark}`,
    currency: (mark) => `e.currency = ${mark}`,
  },
};

/** Postings of this merchant in this mode in the order of their transactions; see `readRows`. */
export async function readPostings(
  db: Database,
  scope: MerchantScope,
  filters: PostingFilters,
  page: { readonly after: FeedPosition; readonly limit: number },
): Promise<FeedPage<PostingRow & Placed>> {
  return readRows<PostingRow, PostingFilters>(db, postings, scope, filters, page);
}

/** What a merchant's accounts in one currency sum up to: strings of minor units, of any sign. */
export interface BalanceRow {
  readonly currency: string;
  /** What we owe the merchant. */
  readonly available: string;
  /** What refunds that are under way will take from what providers owe us. */
  readonly refunds_pending: string;
  /** What providers owe us. */
  readonly receivable: string;
  /** What we have earned. */
  readonly fees: string;
}

const balances = {
  name: 'read_balances',
  text: `
    SELECT currency,
      (-COALESCE(sum(amount) FILTER (WHERE account = 'merchant'), 0))::text AS available,
      (-COALESCE(sum(amount) FILTER (WHERE account = 'refunds'), 0))::text AS refunds_pending,
      COALESCE(sum(amount) FILTER (WHERE account LIKE 'receivable.%'), 0)::text AS receivable,
      (-COALESCE(sum(amount) FILTER (WHERE account = 'fees'), 0))::text AS fees
    FROM ledger_entries WHERE merchant_id = $1 AND is_test = $2 GROUP BY currency ORDER BY currency`,
};

/** The balance of this merchant in this mode, by currency. Receivable = available + refunds pending + fees, in one snapshot. */
export async function readBalances(db: Database, scope: MerchantScope): Promise<BalanceRow[]> {
  return run<BalanceRow>(db, balances, [scope.merchantId, scope.isTest]);
}
