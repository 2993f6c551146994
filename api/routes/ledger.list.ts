import { z } from 'zod';
import { feedStart } from '../../prisma/feed.ts';
import { type PostingRow, readPostings } from '../../prisma/ledger.ts';
import { isCurrency } from '../../workflows/domain/currencies.ts';
import { formatMinor } from '../../workflows/domain/money.ts';
import { pageQuery } from '../cursor.ts';
import { feedCursorsOf, feedPageOf } from '../feed.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const postingSchema = z
  .object({
    id: z.string(),
    event_id: z.string().describe('The event whose change it posts; the postings of one event sum to zero'),
    account: z
      .string()
      .describe('`receivable.` and a provider; `merchant`: what we owe you; `fees`; `refunds`: those under way'),
    payment_id: z.string(),
    object_id: z.string().describe('What moved the money: the payment itself, or a capture or refund of it'),
    amount: z.string().describe('Decimal string in units of the currency, never negative'),
    direction: z.enum(['debit', 'credit']),
    currency: z.string().describe('ISO 4217'),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Posting' });

const query = z.strictObject({
  ...pageQuery,
  cursor: pageQuery.cursor.describe(
    '`next_cursor` of the page before, with the same filters; absent to begin at the first posting',
  ),
  payment_id: text(100).optional(),
  account: text(100).optional().describe('e.g. `merchant`'),
  currency: z.string().refine(isCurrency, 'must be an ISO 4217 code in upper case').optional(),
});

const cursors = feedCursorsOf('ledger');

/** `GET /api/v1/ledger`. */
export const listPostings = merchantRoute(
  {
    operationId: 'listPostings',
    method: 'get',
    path: '/api/v1/ledger',
    summary: 'Read the ledger in order',
    description:
      'Every movement of money, in double entry, oldest first. `next_cursor` is always there, also on the last page: keep it ' +
      'and ask again with it later, and you read every posting, none skipped. After a restore of the database a cursor may ' +
      'be refused: begin again, and know postings by their `id`.',
    permission: 'ledger:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of postings', schema: postingSchema } },
    problems: [],
  },
  async (deps, request, caller) => {
    const { query: asked } = request;
    const filters = { paymentId: asked.payment_id, account: asked.account, currency: asked.currency };
    const after = cursors.read(caller, asked) ?? feedStart;
    const feed = await readPostings(deps.db, caller, filters, { after, limit: asked.limit + 1 });
    return feedPageOf(feed, cursors, caller, asked, shown);
  },
);

function shown(row: PostingRow): z.infer<typeof postingSchema> {
  const minor = BigInt(row.amount);
  return {
    id: `${row.event_id}:${row.account}`,
    event_id: row.event_id,
    account: row.account,
    payment_id: row.payment_id,
    object_id: row.object_id,
    amount: formatMinor(minor < 0n ? -minor : minor, row.currency),
    direction: minor < 0n ? 'credit' : 'debit',
    currency: row.currency,
    created_at: row.created_at.toISOString(),
  };
}
