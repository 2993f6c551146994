const sizeMax = 64;
const sizeFirst = 4;
const judgedAtOnce = 4;

/**
 * A row that takes so many times as long to be accepted as the fastest did stands in a queue, and whoever pays at the same time stands in
 * it too. Measured on two busy cores: a window that is never smaller than 4 and slow only at 150 ms starts as many rows a second while
 * nobody pays, and makes payments wait a quarter longer while somebody does.
 */
const slowTimes = 4;
/** Never slow, and slow in any case: fast engines are not held to what they can do at best, and where all is slow there is a queue. */
const slowMsMin = 100;
const slowMsMax = 500;
/** Quick is what takes less than this part of it. */
const quickPart = 0.6;

/** How many rows of a batch may be on their way: as many as the engine takes without a queue, which it finds out as it goes. */
export class StartWindow {
  #size = sizeFirst;
  #fastestMs = Number.POSITIVE_INFINITY;
  #times: number[] = [];

  get size(): number {
    return this.#size;
  }

  /** A row was accepted so long after it was started. */
  accepted(tookMs: number): void {
    this.#times.push(tookMs);
    this.#fastestMs = Math.min(this.#fastestMs, tookMs);
    if (this.#times.length < Math.max(judgedAtOnce, this.#size)) return;
    const median = this.#times.toSorted((one, other) => one - other)[Math.floor(this.#times.length / 2)] ?? 0;
    this.#times = [];
    const slowMs = Math.min(Math.max(slowMsMin, slowTimes * this.#fastestMs), slowMsMax);
    if (median > slowMs) this.#size = Math.max(1, Math.floor(this.#size * 0.75));
    else if (median < quickPart * slowMs) this.#size = Math.min(sizeMax, this.#size + 1);
  }
}
