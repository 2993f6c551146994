import type { Movement } from './movement.ts';

/** One account as `GET /bank/accounts` shows it. */
export interface Account {
  readonly id: string;
  readonly currency: string;
  readonly balance_minor: string;
}

/** The balances of the bank: per currency one account of the cardholders and one of the merchants. They start at
 * zero, and because every movement takes from one what it gives to the other, their sum stays zero. */
export class Accounts {
  private readonly takenByCurrency = new Map<string, bigint>();

  /** Moves the amount of a charge from the cardholders to the merchants. */
  apply(movement: Movement): void {
    const before = this.takenByCurrency.get(movement.currency) ?? 0n;
    this.takenByCurrency.set(movement.currency, before + BigInt(movement.amount_minor));
  }

  /** All accounts, by currency. */
  list(): Account[] {
    return [...this.takenByCurrency]
      .toSorted(([one], [other]) => one.localeCompare(other))
      .flatMap(([currency, taken]) => [
        { id: `cardholders_${currency}`, currency, balance_minor: String(-taken) },
        { id: `merchants_${currency}`, currency, balance_minor: String(taken) },
      ]);
  }
}
