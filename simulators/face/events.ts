import { Shelf } from '../shelf.ts';
import type { Owner } from './later.ts';
import { pause } from './later.ts';

/** Of what a provider tells the receiver of its events: of what came later than its answer, of every commit, or of
 * nothing. */
export const eventModes = ['asynchronous', 'all', 'none'] as const;
type EventMode = (typeof eventModes)[number];

/** An event as it is sent. The body is written as JSON once, and sent again as the same bytes. */
export interface ProviderEvent {
  readonly id: string;
  readonly type: string;
  readonly body: object;
}

/** An event as `GET /events/{provider}` shows it. `body` is exactly what was sent; `headers` are those of the latest
 * try. */
interface SentEvent {
  readonly id: string;
  readonly type: string;
  readonly body: string;
  headers: Readonly<Record<string, string>>;
  tries: number;
  delivered: boolean;
}

/** Where events go and how they are signed. */
export interface EventsOptions {
  /** Who receives them; without it there are no events. */
  readonly url: string | undefined;
  /** The headers that prove to the receiver whose body this is; asked anew for each try. */
  readonly sign: (rawBody: string) => Readonly<Record<string, string>>;
  readonly owner: Owner;
}

const sentMax = 20_000;
const triesMax = 4;
const retryAfterMs = 1_000;
const answerWithinMs = 5_000;

/** Tells a receiver what happened, in memory only: what was not delivered when the process ends stays untold, and the
 * receiver must look it up. */
export class Events {
  /** Of what it tells from now on. */
  mode: EventMode = 'asynchronous';
  private readonly options: EventsOptions;
  private readonly sent = new Shelf<SentEvent>(sentMax);

  constructor(options: EventsOptions) {
    this.options = options;
  }

  /** Sends the event in the background, if the mode wants it: a try that is not answered with 2xx is followed by three
   * more, a second apart. `isLate`: the answer to the call that began it did not tell it. */
  tell(isLate: boolean, event: ProviderEvent): void {
    const { url, owner } = this.options;
    if (url === undefined || this.mode === 'none' || (this.mode === 'asynchronous' && !isLate)) return;
    const { id, type, body } = event;
    const sent = { id, type, body: JSON.stringify(body), headers: {}, tries: 0, delivered: false };
    this.sent.put(sent);
    this.deliver(url, sent).catch((error: unknown) => {
      if (!owner.stopping.aborted) owner.warn(`The event ${id} could not be sent: ${String(error)}`);
    });
  }

  /** The mode, and the events with a higher number that were sent or are still being tried, in order. */
  report(after: number): object {
    return { mode: this.mode, events: this.sent.after(after), dropped: this.sent.dropped };
  }

  private async deliver(url: string, sent: SentEvent): Promise<void> {
    while (!sent.delivered && sent.tries < triesMax) {
      if (sent.tries > 0) await pause(this.options.owner, retryAfterMs);
      sent.headers = { 'content-type': 'application/json', ...this.options.sign(sent.body) };
      sent.tries += 1;
      sent.delivered = await this.isTaken(url, sent);
    }
  }

  private async isTaken(url: string, { headers, body }: SentEvent): Promise<boolean> {
    const signal = AbortSignal.any([this.options.owner.stopping, AbortSignal.timeout(answerWithinMs)]);
    try {
      const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
      await response.body?.cancel();
      return response.ok;
    } catch {
      // A receiver that is away or does not answer is tried again.
      return false;
    }
  }
}
