/** What a provider told us unasked: a hint where to look, never a fact by itself. */
export interface ProviderEvent {
  /** The provider's id of it; a repeat has the same one. */
  readonly eventId: string;
  readonly type: string;
  /** Our id of the payment or movement that it is about; null when it names none. */
  readonly reference: string | null;
  /** What it says came of it. `other`: something that moves no money of ours. */
  readonly claim: 'approved' | 'declined' | 'pending' | 'other';
  /** The signature as it was sent, for the record. */
  readonly signature: string;
  readonly payload: unknown;
}

/** Reads and proves what one account of a provider sends us. */
export interface ProviderEvents {
  readonly provider: string;
  /** The account whose events these are: the last part of the address that the provider posts to. */
  readonly accountId: string;
  /**
   * Verifies the signature over the bytes as they came, then reads them. Throws an `EventRefused`, or a `ProviderFault` when
   * it cannot be checked now.
   */
  read(body: Buffer, headers: EventHeaders): Promise<ProviderEvent>;
  /** Frees its connections. */
  close(): Promise<void>;
}

/** Headers of a request, by lower-case name. */
export type EventHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What came is no event of the provider's, or comes too late to be believed. Nothing of it is kept. */
export class EventRefused extends Error {
  override readonly name = 'EventRefused';
  readonly reason: 'signature' | 'stale' | 'unreadable';

  /** `message` says which part is wrong, and repeats nothing of it. */
  constructor(reason: EventRefused['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}
