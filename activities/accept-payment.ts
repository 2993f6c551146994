import { acceptPayment as insertOrFind } from '../prisma/payments.ts';
import type { Acceptance, AcceptPayment } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Commits the payment's row before any provider is called, or finds the row that this id already has. */
export async function acceptPayment({ db }: ActivityDeps, input: AcceptPayment): Promise<Acceptance> {
  return insertOrFind(db, input);
}
