import type { Movement, MovementKind } from './movement.ts';

/** One account as `GET /bank/accounts` shows it. */
export interface Account {
  readonly id: string;
  readonly currency: string;
  readonly balance_minor: string;
}

type Party = 'cardholders' | 'holds' | 'merchants';

const ways: Readonly<Record<MovementKind, readonly [from: Party, to: Party]>> = {
  charge: ['cardholders', 'merchants'],
  authorize: ['cardholders', 'holds'],
  capture: ['holds', 'merchants'],
  void: ['holds', 'cardholders'],
  refund: ['merchants', 'cardholders'],
};

/** The balances of the bank: per currency one account of the cardholders, one of the merchants, and one of what is
 * held once something was. They start at zero, and because every movement takes from one what it gives to another,
 * their sum stays zero. */
export class Accounts {
  private readonly byCurrency = new Map<string, Map<Party, bigint>>();

  /** Moves the amount the way that the kind of the movement goes. */
  apply({ kind, currency, amount_minor: amountMinor }: Movement): void {
    const balances = this.byCurrency.get(currency) ?? new Map<Party, bigint>();
    this.byCurrency.set(currency, balances);
    const [from, to] = ways[kind];
    const add = (party: Party, amount: bigint) => balances.set(party, (balances.get(party) ?? 0n) + amount);
    add(from, -BigInt(amountMinor));
    add(to, BigInt(amountMinor));
  }

  /** All accounts, by currency. */
  list(): Account[] {
    return [...this.byCurrency]
      .toSorted(([one], [other]) => one.localeCompare(other))
      .flatMap(([currency, balances]) =>
        (['cardholders', 'holds', 'merchants'] as const)
          .filter((party) => party !== 'holds' || balances.has(party))
          .map((party) => ({
            id: `${party}_${currency}`,
            currency,
            balance_minor: String(balances.get(party) ?? 0n),
          })),
      );
  }
}
