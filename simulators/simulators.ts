import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { Book } from './bank/book.ts';
import { createControl } from './control.ts';
import { Charges } from './easypay/charges.ts';
import type { EasyPay } from './easypay/face.ts';
import { createEasyPayFace, resumePending } from './easypay/face.ts';
import { Faults } from './faults.ts';
import { Listener } from './listener.ts';
import { Parking } from './parking.ts';
import type { Settings } from './settings.ts';

/** How the simulators are started. `warn` takes what an operator should know (default: standard error); `onFailure`
 * is called when the book cannot be written any more (default: only warn). */
export interface SimulatorsOptions extends Settings {
  readonly warn?: (message: string) => void;
  readonly onFailure?: (error: Error) => void;
}

/** Simulators that are up. */
export interface Simulators {
  readonly controlUrl: string;
  readonly easypayUrl: string;
  /** Writes what is under way to the book and closes everything. Work that waits (parked calls, late commits) ends
   * as in a crash; pending charges go on at the next start. */
  stop(): Promise<void>;
}

/** Starts the outside world: the bank with its book in `dataDir/bank.jsonl`, and EasyPay's face. Throws with a clear
 * message when a port is taken or the book is damaged. */
export async function startSimulators(options: SimulatorsOptions): Promise<Simulators> {
  const warn = options.warn ?? ((message) => process.stderr.write(`simulators: ${message}\n`));
  const stopping = new AbortController();
  const apps = Promise.withResolvers<{ readonly control: RequestListener; readonly easypay: RequestListener }>();
  const whenReady = (name: 'control' | 'easypay'): RequestListener => {
    return (request, response) => void apps.promise.then((ready) => ready[name](request, response));
  };
  const { host } = options;
  // The ports come first: a second process with the same settings fails here and never touches the book.
  const controlListener = await Listener.open({
    host,
    port: options.controlPort,
    setting: 'SIMULATORS_PORT',
    handler: whenReady('control'),
  });
  const opened: { stop(): Promise<void> }[] = [controlListener];
  try {
    const easypayListener = await Listener.open({
      host,
      port: options.easypayPort,
      setting: 'EASYPAY_FACE_PORT',
      handler: whenReady('easypay'),
    });
    opened.push(easypayListener);
    const charges = new Charges();
    const book = await Book.open({
      path: join(options.dataDir, 'bank.jsonl'),
      onMemo: (memo) => charges.apply(memo.value),
      warn,
      onFailure: (error) => {
        warn(`${error.message} (${String(error.cause)})`);
        options.onFailure?.(error);
      },
    });
    const faults = new Faults();
    const parking = new Parking(stopping.signal);
    const { easypayApiKey: apiKey } = options;
    const easypay: EasyPay = { apiKey, book, charges, faults, parking, stopping: stopping.signal, warn };
    const faces = new Map([['easypay', { faults, parking, listener: easypayListener }]]);
    apps.resolve({ control: createControl({ book, faces, warn }), easypay: createEasyPayFace(easypay) });
    resumePending(easypay);
    return {
      controlUrl: controlListener.url,
      easypayUrl: easypayListener.url,
      stop: async () => {
        await easypayListener.close();
        stopping.abort();
        await book.close();
        await Promise.all(opened.map((one) => one.stop()));
      },
    };
  } catch (error) {
    await Promise.all(opened.map((one) => one.stop()));
    throw error;
  }
}
