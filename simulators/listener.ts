import type { Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What is spoken on a port. */
export interface Protocol {
  readonly scheme: string;
  /** A server that does not listen yet; one is made each time the port opens. */
  readonly createServer: () => Server;
  /** Told that the port closed: returns the connections that may finish what they are at. */
  readonly finishing: () => ReadonlySet<Socket | null>;
}

/** Where a listener listens. `setting` is the environment variable to name when the port is taken. */
export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly setting: string;
  readonly protocol: Protocol;
}

// While the port is closed the system may lend its number to an outgoing connection for a moment.
const reopenWithinMs = 5_000;

/** A port that can be closed, so that connections are refused, and opened again on the same number. */
export class Listener {
  private readonly options: ListenerOptions;
  private port: number;
  private server: Server | undefined;
  private lastTurn: Promise<void> = Promise.resolve();
  private readonly sockets = new Set<Socket>();

  private constructor(options: ListenerOptions) {
    this.options = options;
    this.port = options.port;
  }

  /** Listens. Throws an error that names the setting when the port cannot be had. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    try {
      await listener.listen();
    } catch (cause) {
      throw new Error(unavailableMessage(options, cause), { cause });
    }
    return listener;
  }

  /** The base URL, the same over closing and reopening. */
  get url(): string {
    const host = this.options.host.includes(':') ? `[${this.options.host}]` : this.options.host;
    return `${this.options.protocol.scheme}://${host}:${this.port}`;
  }

  /** Opens the closed port again; does nothing when it is open. */
  async reopen(): Promise<void> {
    await this.inTurn(async () => {
      if (this.server !== undefined) return;
      const deadline = Date.now() + reopenWithinMs;
      while (this.server === undefined) {
        try {
          await this.listen();
        } catch (error) {
          if (Date.now() > deadline) throw error;
          await delay(20);
        }
      }
    });
  }

  /** Closes the port: once this resolves, connections are refused. Connections are cut, but for those
   * that the protocol lets finish. Returns whether it was open. */
  async close(): Promise<boolean> {
    let wasOpen = false;
    await this.inTurn(async () => {
      if (this.server === undefined) return;
      wasOpen = true;
      this.server.close();
      this.server = undefined;
      const finishing = this.options.protocol.finishing();
      for (const socket of this.sockets) if (!finishing.has(socket)) socket.destroy();
    });
    return wasOpen;
  }

  /** Closes the port and cuts every connection. */
  async stop(): Promise<void> {
    await this.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private async listen(): Promise<void> {
    const server = this.options.protocol.createServer();
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.options.host, resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.port = address.port;
    this.server = server;
  }

  // Opening and closing follow each other in the order they were asked for.
  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.lastTurn.then(work);
    this.lastTurn = turn.catch(() => undefined);
    return turn;
  }
}

function unavailableMessage(options: ListenerOptions, cause: unknown): string {
  const where = `port ${options.port} on ${options.host}`;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  if (code === 'EADDRINUSE') {
    return `${options.setting}: ${where} is taken; stop the program that listens there or set another port (0 = any)`;
  }
  return `${options.setting}: cannot listen on ${where} (${code}); set another port or SIMULATORS_HOST`;
}
