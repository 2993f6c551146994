/** A thing that came in. `seq` counts from 1, and `at` is when. */
export type Shelved<Item> = { readonly seq: number; readonly at: string } & Item;

/** What came in of one kind, in memory only and bounded: the oldest make room for the newest. */
export class Shelf<Item extends object> {
  private readonly capacity: number;
  private items: Shelved<Item>[] = [];
  private lastSeq = 0;
  private droppedCount = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** How many were dropped since it was emptied last. */
  get dropped(): number {
    return this.droppedCount;
  }

  /** Puts a thing behind the others. */
  put(item: Item): void {
    this.lastSeq += 1;
    // The thing itself stays the one that was put, so that what becomes of it later is seen.
    this.items.push(Object.assign(item, { seq: this.lastSeq, at: new Date().toISOString() }));
    if (this.items.length > this.capacity) {
      this.items.shift();
      this.droppedCount += 1;
    }
  }

  /** Those with a higher `seq`, in order. */
  after(seq: number): Shelved<Item>[] {
    return this.items.filter((item) => item.seq > seq);
  }

  /** Removes all; the numbers go on. */
  clear(): void {
    this.items = [];
    this.droppedCount = 0;
  }
}
