/** What a run did, counted by name: what was never done was not tested. */
export class Tally {
  readonly #counts = new Map<string, number>();
  /** The longest that a request took, in milliseconds. */
  slowestMs = 0;

  count(name: string, by = 1): void {
    this.#counts.set(name, this.of(name) + by);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** The counts whose names begin so, without that beginning, by name. */
  all(beginning: string): [name: string, count: number][] {
    return [...this.#counts]
      .filter(([name]) => name.startsWith(beginning))
      .map(([name, count]): [string, number] => [name.slice(beginning.length), count])
      .toSorted(([one], [other]) => one.localeCompare(other));
  }

  async timed<T>(work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
    }
  }
}
