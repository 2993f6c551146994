/** Work on one thing at a time: what is asked for under the same name follows each other, in the order it was asked
 * for, so that what one decided holds until it is stored. */
export class Turns {
  private readonly lastByName = new Map<string, Promise<unknown>>();

  /** Does the work when all that was asked for before it under this name has ended, however it ended. */
  async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.lastByName.get(name) ?? Promise.resolve()).then(work);
    const ended = turn.catch(() => undefined);
    this.lastByName.set(name, ended);
    try {
      return await turn;
    } finally {
      if (this.lastByName.get(name) === ended) this.lastByName.delete(name);
    }
  }
}
