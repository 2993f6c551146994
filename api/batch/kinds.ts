import { z } from 'zod';
import { findCustomersById } from '../../prisma/customers.ts';
import type { Database } from '../../prisma/database.ts';
import { findNewestTerms } from '../../prisma/plans.ts';
import type { StagedData } from '../../workflows/batch-ports.ts';
import type { BatchKind } from '../../workflows/domain/batch.ts';
import { billingCycleText } from '../../workflows/domain/billing/subscription.ts';
import { isCustomerId, type PaymentIdentity, paymentIdOf, subscriptionIdOf } from '../../workflows/domain/ids.ts';
import { formatMoney } from '../../workflows/domain/money.ts';
import { subscriptionSummary } from '../../workflows/subscription-contract.ts';
import type { Asking } from '../asking.ts';
import type { FieldError } from '../errors.ts';
import { asNamed, type NamedCustomer } from '../named-customer.ts';
import { currencyErrors, paymentFields, returnUrlErrors, toPaymentRequest } from '../payment-request.ts';
import type { MerchantPermission } from '../permissions.ts';
import type { Caller } from '../principal.ts';
import { subscriptionFaults, subscriptionFields, toSubscriptionRequest } from '../subscription-request.ts';
import { text } from '../text.ts';
import { type Columns, columnsOf } from './columns.ts';
import { beginsAsFormula } from './csv-rows.ts';

/** A row whose own words are right. */
export interface WellFormedRow<Fields> {
  readonly fields: Fields;
  readonly resourceId: string;
  readonly asking: Asking;
}

/** What a row becomes: what its workflow is started with, and what operators read of it; or what stands in its way. */
type JudgedRow =
  | { readonly ok: true; readonly data: StagedData }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** All that is different from one kind of rows to another. */
export interface KindRules<Fields> {
  readonly columns: Columns;
  /** Of a row, with `key` and `is_test`. */
  readonly schema: z.ZodType<RowMembers & Fields>;
  /** What somebody who starts such rows must be allowed beside batches. */
  readonly permission: MerchantPermission;
  idOf(identity: PaymentIdentity): string;
  /** Judges rows of which nothing is there yet by all that stands in the database, read for all of them at once. */
  judge(db: Database, caller: Caller, rows: readonly WellFormedRow<Fields>[]): Promise<readonly JudgedRow[]>;
}

interface RowMembers {
  readonly key: string;
  readonly is_test?: boolean | undefined;
}

const rowMembers = {
  key: text(100)
    .refine((key) => !beginsAsFormula(key), 'must not begin with =, +, -, @ or a tab: spreadsheets would run it')
    .describe('Your own name of the row: with the batch’s reference it names what the row makes'),
  is_test: z.boolean().optional(),
};

const paymentRow = paymentFields.safeExtend(rowMembers);
const subscriptionRow = subscriptionFields.safeExtend(rowMembers);

const payments: KindRules<z.infer<typeof paymentFields>> = {
  columns: columnsOf(paymentRow),
  schema: paymentRow,
  permission: 'payments:write',
  idOf: paymentIdOf,
  async judge(db, caller, rows) {
    const customerOf = await customersOf(
      db,
      caller,
      rows.map(({ fields }) => fields.customer_id),
    );
    return rows.map(({ fields, asking, resourceId }) => {
      const customer = customerOf(fields.customer_id);
      const errors = [
        ...returnUrlErrors(fields, caller.isTest),
        ...currencyErrors(fields, caller.settings),
        ...(customer.ok ? [] : [{ pointer: '/customer_id', detail: customer.problem }]),
      ];
      if (errors.length > 0) return { ok: false, errors };
      const {
        routing: _routing,
        receivedAt: _receivedAt,
        ...request
      } = toPaymentRequest(fields, asking, caller.settings);
      const money = { amountMinor: BigInt(request.amountMinor), currency: request.currency };
      return { ok: true, data: { request, summary: `${formatMoney(money)} · ${fields.external_id ?? resourceId}` } };
    });
  },
};

const subscriptions: KindRules<z.infer<typeof subscriptionFields>> = {
  columns: columnsOf(subscriptionRow),
  schema: subscriptionRow,
  permission: 'subscriptions:write',
  idOf: subscriptionIdOf,
  async judge(db, caller, rows) {
    const planIds = [...new Set(rows.map(({ fields }) => fields.plan_id))];
    const plans = await findNewestTerms(db, caller, planIds);
    const customerOf = await customersOf(
      db,
      caller,
      rows.map(({ fields }) => fields.customer_id),
    );
    return rows.map(({ fields, asking, resourceId }) => {
      const plan = plans.get(fields.plan_id) ?? null;
      const customer = customerOf(fields.customer_id);
      const { settings } = caller;
      const faults = subscriptionFaults(fields, { plan, customer, settings, receivedAt: asking.receivedAt });
      if (plan === null || faults.length > 0)
        return { ok: false, errors: faults.map(({ pointer, detail }) => ({ pointer, detail })) };
      const { terms } = plan;
      const summary = subscriptionSummary({
        amountMinor: terms.amountMinor * BigInt(fields.quantity),
        currency: terms.currency,
        billingCycle: billingCycleText(terms.interval),
        externalId: fields.external_id ?? resourceId,
      });
      return { ok: true, data: { request: toSubscriptionRequest(fields, asking, terms), summary } };
    });
  },
};

/** Who these customers are. */
async function customersOf(
  db: Database,
  caller: Caller,
  ids: readonly (string | undefined)[],
): Promise<(id: string | undefined) => NamedCustomer> {
  const ours = [...new Set(ids.filter((id) => id !== undefined && isCustomerId(id)))].filter((id) => id !== undefined);
  const found = await findCustomersById(db, caller, ours);
  return (id) =>
    id === undefined || !isCustomerId(id) ? { ok: true, customer: null } : asNamed(found.get(id) ?? null);
}

/** The rules of each kind. */
export const kindRules = { payments, subscriptions } as const satisfies Record<BatchKind, unknown>;
