import type { CaptureMethod, MovementKind } from '../../workflows/domain/movement.ts';
import type { ChargeOutcome, FaultKind } from '../../workflows/domain/outcome.ts';
import type { ProviderCapabilities } from '../../workflows/domain/routing.ts';

/**
 * What every payment provider offers to the rest of the product. An adapter is a folder beside this file; the registry
 * in `index.ts` names it. It does one HTTP exchange per call and never retries: retries live in Temporal alone.
 */
export interface Provider {
  readonly name: string;
  readonly capabilities: ProviderCapabilities;
  readonly idempotency: Idempotency;
  /** How long after `send_before` a request may still be processed: until then "not found" proves nothing. */
  readonly processingHorizonMs: number;
  /** Whether a refund pays back a charge as a whole, or one capture of it. */
  readonly refundsPer: 'charge' | 'capture';
  /**
   * Makes what a charge needs at a provider that wants two steps, and moves no money by it. Answers the id of what it made,
   * the same one for the same key. Throws a `ProviderFault`.
   */
  prepare?(request: PrepareRequest, call: ProviderCall): Promise<string>;
  /** Charges a card, or reserves the amount, once per idempotency key. Throws a `ProviderFault` without an outcome to report. */
  charge(request: ChargeRequest, call: ProviderCall): Promise<ChargeOutcome>;
  /** Finds a charge by our reference and key; null when the provider does not know it. Throws a `ProviderFault`. */
  lookUpCharge(request: ChargeLookUp, call: ProviderCall): Promise<ChargeOutcome | null>;
  /**
   * Captures, voids or refunds once per idempotency key. Throws a `ProviderFault` without an outcome to report; a refusal
   * that may come of an earlier send of the same key ("already captured") is `unknown_outcome`: the look-up tells.
   */
  move(request: MovementRequest, call: ProviderCall): Promise<ChargeOutcome>;
  /** Finds a capture, void or refund by our reference; null when the provider does not know it. Throws a `ProviderFault`. */
  lookUpMovement(request: MovementRequest, call: ProviderCall): Promise<ChargeOutcome | null>;
  /** Frees its connections. */
  close(): Promise<void>;
}

/**
 * What a provider does with the same key sent twice:
 *
 * - `key`: it answers the second with what came of the first, for as long as it keeps its books.
 * - `window`: the same, but only for `windowMs`.
 * - `lookup`: it knows no keys; a charge can be found by our reference.
 * - `none`: neither; such a provider is asked to charge at most once, and a person decides the rest.
 */
export type Idempotency =
  | { readonly kind: 'key' }
  | { readonly kind: 'window'; readonly windowMs: number }
  | { readonly kind: 'lookup' }
  | { readonly kind: 'none' };

/** What comes before a charge, under a key of its own. */
export interface PrepareRequest {
  /** The payment's id. */
  readonly reference: string;
  readonly idempotencyKey: string;
  /** Minor units as ISO 4217 counts them. */
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly cardToken: string;
  /** `manual`: only reserve the amount; a capture takes it later. */
  readonly capture: CaptureMethod;
}

/** A charge to make. `preparationId` is what `prepare` answered; null at a provider without it. */
export interface ChargeRequest extends PrepareRequest {
  readonly preparationId: string | null;
  /** Where the provider sends the payer back who had to act. */
  readonly returnUrl: string;
}

/** A charge to find. Amount and currency are what we asked for: another amount found is a `mismatched` outcome. */
export type ChargeLookUp = Omit<ChargeRequest, 'cardToken' | 'paymentMethod' | 'returnUrl'>;

/** What moves money after a charge: to make, or to find. */
export interface MovementRequest {
  readonly kind: MovementKind;
  /** The movement's id. */
  readonly reference: string;
  readonly idempotencyKey: string;
  /** The payment's id, which the provider knows the charge by. */
  readonly paymentId: string;
  /** The provider's id of the charge or reservation that it belongs to. */
  readonly chargeTransactionId: string;
  /** The provider's id of the capture that a refund pays back; null: of the charge as a whole. */
  readonly captureTransactionId: string | null;
  readonly preparationId: string | null;
  /** Minor units as ISO 4217 counts them; of a void: what is given back, which is nothing before the payer has acted. */
  readonly amountMinor: bigint;
  readonly currency: string;
  /** Of a capture: nothing remains to be captured after it. */
  readonly isFinal: boolean;
}

/** How one exchange is to be made. */
export interface ProviderCall {
  readonly correlationId: string;
  /** The whole exchange ends within this time. */
  readonly timeoutMs: number;
  /** Asked in the moment before the request is written: false means that it is too late and nothing may leave. */
  mayStillSend(): boolean;
  /** Told the HTTP status of the latest exchange, for the log; null from its beginning until it is answered. */
  noteStatus?(status: number | null): void;
}

/** A call without an outcome. `kind` says whether it happened and whether it may be repeated; see `FaultKind`. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
  readonly kind: FaultKind;
  /** The wait that the provider asked for, whatever the kind; null: none. */
  readonly retryAfterMs: number | null;

  /** `message` goes to operators and histories: no card data, no personal data, nothing from a response's body. */
  constructor(kind: FaultKind, message: string, options: { cause?: unknown; retryAfterMs?: number | null } = {}) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
