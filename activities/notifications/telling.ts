/**
 * What came of one try to tell a receiver of an event.
 *
 * - `delivered`: it took it. `gone`: it wants nothing any more. `refused`: it will never take this one.
 * - `again`: worth another try; `retryAfterMs` is the wait that it asked for.
 * - `skipped`: there is nobody to tell.
 *
 * `problem` is ours, without addresses, secrets or anything of a payer.
 */
export type Telling =
  | { readonly kind: 'delivered'; readonly statusCode: number | null }
  | { readonly kind: 'gone'; readonly statusCode: number }
  | { readonly kind: 'refused'; readonly problem: string; readonly statusCode: number | null }
  | {
      readonly kind: 'again';
      readonly problem: string;
      readonly statusCode: number | null;
      readonly retryAfterMs: number | null;
    }
  | { readonly kind: 'skipped'; readonly problem: string };
