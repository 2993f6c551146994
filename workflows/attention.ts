import type { Resolution } from './contract.ts';

/** What people and providers want a workflow to look at, while it works or waits. */
export class Attention {
  /** What a person found out, until it is acted on or comes to nothing. */
  #resolution: Resolution | null = null;
  #taken: Resolution | null = null;
  /** The rows of providers' events that came and are not done with. */
  readonly #providerEventIds = new Set<string>();
  #calls = 0;
  #answered = 0;
  #isUrgent = false;

  /** How often somebody called so far: a wait that remembers it notices the next call. */
  get calls(): number {
    return this.#calls;
  }

  /** Whether somebody called since the last time that it was looked into. */
  get isCalled(): boolean {
    return this.#calls > this.#answered;
  }

  /** It is looked into now: who calls from here on is heard again. */
  answer(): void {
    this.#answered = this.#calls;
  }

  /** A person wants the next try now. */
  hurry(): void {
    this.#isUrgent = true;
    this.#calls += 1;
  }

  /** There is a reason to look again. */
  call(): void {
    this.#calls += 1;
  }

  /** A provider's event came: look again, and be done with it in the end. */
  note(providerEventId: string): void {
    this.#providerEventIds.add(providerEventId);
    this.#calls += 1;
  }

  /** Whether a person wants the next send now. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** The same; true once per request. */
  takeUrgency(): boolean {
    const isUrgent = this.#isUrgent;
    this.#isUrgent = false;
    return isUrgent;
  }

  get hasProviderEvents(): boolean {
    return this.#providerEventIds.size > 0;
  }

  takeProviderEvents(): string[] {
    const ids = [...this.#providerEventIds];
    this.#providerEventIds.clear();
    return ids;
  }

  get hasResolution(): boolean {
    return this.#resolution !== null;
  }

  /** A person has decided. */
  resolve(resolution: Resolution): void {
    this.#resolution = resolution;
  }

  takeResolution(): Resolution | null {
    const resolution = this.#resolution;
    if (resolution !== null) this.#taken = resolution;
    this.#resolution = null;
    return resolution;
  }

  /** There is nothing left to decide: a resolution that was not taken comes to nothing. */
  dropResolution(): void {
    this.#resolution = null;
  }

  /** Whether this resolution was the one that was acted on. */
  wasTaken(resolution: Resolution): boolean {
    return this.#taken === resolution;
  }
}
