const sizeMin = 4;
const sizeMax = 64;
const sizeFirst = 8;

/**
 * Rows that wait longer than `slowMs` to be accepted stand in a queue, and whoever pays at the same time stands in it too. Measured on
 * two busy cores: a window of 8 starts as many rows a second as one of 32, which makes payments wait four times as long; one of 2 spares
 * them no more than one of 4, and starts a third less.
 */
const slowMs = 150;
const quickMs = 80;
const judgedAtOnce = 8;

/** How many rows of a batch may be on their way: as many as the engine takes without a queue, which it finds out as it goes. */
export class StartWindow {
  #size = sizeFirst;
  #times: number[] = [];

  get size(): number {
    return this.#size;
  }

  /** A row was accepted so long after it was started. */
  accepted(tookMs: number): void {
    this.#times.push(tookMs);
    if (this.#times.length < Math.max(judgedAtOnce, this.#size)) return;
    const median = this.#times.toSorted((one, other) => one - other)[Math.floor(this.#times.length / 2)] ?? 0;
    this.#times = [];
    if (median > slowMs) this.#size = Math.max(sizeMin, Math.floor(this.#size * 0.75));
    else if (median < quickMs) this.#size = Math.min(sizeMax, this.#size + 1);
  }
}
