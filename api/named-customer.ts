import { type CustomerRow, findCustomer } from '../prisma/customers.ts';
import type { Database } from '../prisma/database.ts';
import type { MerchantScope } from '../prisma/payments.ts';
import { isCustomerId } from '../workflows/domain/ids.ts';

/** Who a `customer_id` is: one that we keep, null where it is none of ours, or why it may not be named. */
export type NamedCustomer =
  | { readonly ok: true; readonly customer: CustomerRow | null }
  | { readonly ok: false; readonly problem: string };

/** The customer whom something new names: an id of ours must be an active customer of this merchant, any other text is its own. */
export async function namedCustomer(
  db: Database,
  scope: MerchantScope,
  customerId: string | undefined,
): Promise<NamedCustomer> {
  if (customerId === undefined || !isCustomerId(customerId)) return { ok: true, customer: null };
  return asNamed(await findCustomer(db, scope, customerId));
}

/** The same of one of ours, as it was found. */
export function asNamed(customer: CustomerRow | null): NamedCustomer {
  if (customer?.status === 'active') return { ok: true, customer };
  const problem = customer === null ? 'is no customer of yours in this mode' : 'is a customer whose data were removed';
  return { ok: false, problem };
}
