import { z } from 'zod';
import { type BalanceRow, readBalances } from '../../prisma/ledger.ts';
import { formatMinor } from '../../workflows/domain/money.ts';
import { merchantRoute } from '../route.ts';

const amount = z.string().describe('Decimal string in units of the currency; negative with a minus before it');

const balanceSchema = z
  .object({
    currency: z.string().describe('ISO 4217'),
    available: amount.describe('What we owe you: captured, less fees, less refunds that are made or under way'),
    refunds_pending: amount.describe('Refunds under way, of which nobody knows yet whether they succeed'),
    receivable: amount.describe('What providers owe for what they captured and did not pay back'),
    fees: amount.describe('Our fees on what was captured'),
  })
  .meta({ id: 'Balance' });

/** `GET /api/v1/balance`. */
export const getBalance = merchantRoute(
  {
    operationId: 'getBalance',
    method: 'get',
    path: '/api/v1/balance',
    summary: 'Get the balance',
    description:
      'What the ledger sums up to, by currency, for each one that you have postings in: `receivable` is `available` + ' +
      '`refunds_pending` + `fees`, always. Money that is only authorized is not in it.',
    permission: 'ledger:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'The balance, all currencies at once', schema: balanceSchema } },
    problems: [],
  },
  async (deps, _request, caller) => {
    const rows = await readBalances(deps.db, caller);
    return { status: 200, data: rows.map(shown), page: { has_more: false, next_cursor: null } };
  },
);

function shown({ currency, ...amounts }: BalanceRow): z.infer<typeof balanceSchema> {
  const money = (minor: string) => formatMinor(BigInt(minor), currency);
  return {
    currency,
    available: money(amounts.available),
    refunds_pending: money(amounts.refunds_pending),
    receivable: money(amounts.receivable),
    fees: money(amounts.fees),
  };
}
