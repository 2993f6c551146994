import type { Operation } from './document.ts';

/** The keys that requests of a run carry. */
export interface GroundKeys {
  /** In test mode, as all requests that do not say otherwise. */
  readonly mine: string;
  /** The same merchant in live mode. */
  readonly live: string;
  readonly other: string;
  /** Of a merchant whose key allows nothing. */
  readonly powerless: string;
  /** Of the platform's operators. */
  readonly operator: string;
}

/** The key that an operation is called with unless a request says otherwise; null: it takes none. */
export function keyOf({ caller }: Operation, keys: GroundKeys): string | null {
  return caller === null ? null : { merchant: keys.mine, operator: keys.operator, 'anyone known': keys.mine }[caller];
}
