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

/** A fault to inject at EasyPay; see the simulators' contract for their meaning. */
export interface FaultRule {
  readonly operation: 'charge' | 'lookup' | '*';
  readonly probability: number;
  readonly times?: number;
  readonly fault: string;
  readonly delay_ms?: number;
}

export interface Park {
  readonly operation: 'charge';
  readonly point: 'before_commit' | 'after_commit';
  readonly reference?: string;
}

/** The witness: the bank's book, and the switches of EasyPay's face. */
export interface Bank {
  movements(reference?: string): Promise<Movement[]>;
  accounts(): Promise<{ id: string; currency: string; balance_minor: string }[]>;
  inject(rules: readonly FaultRule[], seed?: number): Promise<void>;
  /** How often each fault was really injected. */
  injected(): Promise<Record<string, number>>;
  /** How many calls got their answer without a fault since the last `inject`. */
  served(): Promise<{ charge: number; lookup: number }>;
  heal(): Promise<void>;
  park(park: Park): Promise<void>;
  parked(): Promise<{ reference: string; point: string }[]>;
  /** Removes the parks and lets their calls go on; with a reference only those of the reference. */
  release(reference?: string): Promise<void>;
}

/** Talks to the simulators' control port. */
export function bankAt(controlUrl: string): Bank {
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
      await call('PUT', '/faults/easypay', { seed, rules });
    },
    async injected() {
      return (await call<{ injected: Record<string, number> }>('GET', '/faults/easypay')).injected;
    },
    async served() {
      return (await call<{ served: { charge: number; lookup: number } }>('GET', '/faults/easypay')).served;
    },
    async heal() {
      await call('DELETE', '/faults/easypay');
    },
    async park(park) {
      await call('PUT', '/park/easypay', park);
    },
    async parked() {
      return (await call<{ parked: { reference: string; point: string }[] }>('GET', '/park/easypay')).parked;
    },
    async release(reference) {
      await call('DELETE', `/park/easypay${reference === undefined ? '' : `?reference=${reference}`}`);
    },
  };
}
