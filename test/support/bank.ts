/** A committed movement in the bank's own book. */
export interface Movement {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly provider: string;
  readonly reference: string;
  readonly idempotency_key: string;
  readonly amount_minor: string;
  readonly currency: string;
  readonly state: string;
}

/** What moves money. */
type MovingOperation = 'charge' | 'capture' | 'void' | 'refund';

/** A fault to inject; see the simulators' contract for their meaning. `token`, `create` and `verify` are PayPal's. */
export interface FaultRule {
  readonly operation: MovingOperation | 'lookup' | 'token' | 'create' | 'verify' | '*';
  readonly probability: number;
  readonly times?: number;
  readonly fault: string;
  readonly delay_ms?: number;
}

interface Park {
  readonly operation: MovingOperation | 'create';
  readonly point: 'before_commit' | 'after_commit';
  readonly reference?: string;
}

/** Calls by operation; `token`, `create` and `verify` are PayPal's. */
type Served = Readonly<
  Record<MovingOperation | 'lookup', number> & Partial<Record<'token' | 'create' | 'verify', number>>
>;

/** The witness: the bank's book, and the switches of one provider's face, EasyPay's unless `at` names another. */
export interface Bank {
  /** The same book, with the switches of another face. */
  at(face: 'easypay' | 'paypal' | 'mailbox' | 'inbox'): Bank;
  movements(reference?: string): Promise<Movement[]>;
  accounts(): Promise<{ id: string; currency: string; balance_minor: string }[]>;
  inject(rules: readonly FaultRule[], seed?: number): Promise<void>;
  /** How often each fault was really injected. */
  injected(): Promise<Record<string, number>>;
  /** How many calls got their answer without a fault since the last `inject`. */
  served(): Promise<Served>;
  heal(): Promise<void>;
  park(park: Park): Promise<void>;
  parked(): Promise<{ reference: string; point: string }[]>;
  /** Removes the parks and lets their calls go on; with a reference only those of the reference. */
  release(reference?: string): Promise<void>;
}

/** Talks to the simulators' control port. */
export function bankAt(controlUrl: string, face = 'easypay'): Bank {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${controlUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text === '' ? '{}' : text) as T;
  }
  return {
    at: (another) => bankAt(controlUrl, another),
    async movements(reference) {
      const query = reference === undefined ? '' : `&reference=${reference}`;
      return (await call<{ movements: Movement[] }>('GET', `/bank/movements?after=0${query}`)).movements;
    },
    async accounts() {
      return (
        await call<{ accounts: { id: string; currency: string; balance_minor: string }[] }>('GET', '/bank/accounts')
      ).accounts;
    },
    async inject(rules, seed = 1) {
      await call('PUT', `/faults/${face}`, { seed, rules });
    },
    async injected() {
      return (await call<{ injected: Record<string, number> }>('GET', `/faults/${face}`)).injected;
    },
    async served() {
      return (await call<{ served: Served }>('GET', `/faults/${face}`)).served;
    },
    async heal() {
      await call('DELETE', `/faults/${face}`);
    },
    async park(park) {
      await call('PUT', `/park/${face}`, park);
    },
    async parked() {
      return (await call<{ parked: { reference: string; point: string }[] }>('GET', `/park/${face}`)).parked;
    },
    async release(reference) {
      await call('DELETE', `/park/${face}${reference === undefined ? '' : `?reference=${reference}`}`);
    },
  };
}
