import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What a hash costs: argon2id as OWASP's Password Storage Cheat Sheet has it. */
interface Cost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

const cost: Cost = { memoryKib: 19 * 1024, passes: 2, lanes: 1 };
const saltBytes = 16;
const hashBytes = 32;

/** Fewest and most characters of a password (NIST SP 800-63B: length counts, composition does not). */
const passwordLengthMin = 12;
const passwordLengthMax = 200;

/** Why this person may not have this password, as the end of a sentence; null: they may. */
export function passwordProblem(
  password: string,
  person: { readonly email: string; readonly name: string | null },
): string | null {
  const characters = Array.from(normal(password)).length;
  if (characters < passwordLengthMin) return `must have at least ${passwordLengthMin} characters`;
  if (characters > passwordLengthMax) return `must have at most ${passwordLengthMax} characters`;
  if (!password.isWellFormed()) return 'must be well-formed Unicode (a surrogate stands alone)';
  const known = [person.email, person.name ?? ''].map((text) => normal(text).toLowerCase());
  return known.includes(normal(password).toLowerCase()) ? 'must not be the e-mail address or the name' : null;
}

/** A new hash in the PHC format, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Throws `PasswordsBusy`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, salt, cost, hashBytes);
  const { memoryKib, passes, lanes } = cost;
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(hash)}`;
}

/** `needsRehash`: it is right, but its hash costs less or more than new ones do. */
export interface CheckedPassword {
  readonly isRight: boolean;
  readonly needsRehash: boolean;
}

/**
 * Compares in constant time. Null stands for an account that is not there, or has no password: it is never right, and takes
 * as long. Throws `PasswordsBusy`.
 */
export async function checkPassword(password: string, kept: string | null): Promise<CheckedPassword> {
  const known = kept === null ? null : parse(kept);
  const { salt, hash, ...parameters } = known ?? { ...cost, ...nobody };
  const given = await derive(password, salt, parameters, hash.length);
  const isRight = timingSafeEqual(given, hash) && known !== null;
  const isCurrent =
    parameters.memoryKib === cost.memoryKib && parameters.passes === cost.passes && parameters.lanes === cost.lanes;
  return { isRight, needsRehash: isRight && !isCurrent };
}

const nobody = { salt: randomBytes(saltBytes), hash: randomBytes(hashBytes) };

const phcPattern =
  /^\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43,86})$/;

/** Null for anything that is not such a hash: no password fits it. */
function parse(phc: string): (Cost & { salt: Buffer; hash: Buffer }) | null {
  const [, memoryKib, passes, lanes, salt, hash] = phcPattern.exec(phc) ?? [];
  if (salt === undefined || hash === undefined) return null;
  return {
    memoryKib: Number(memoryKib),
    passes: Number(passes),
    lanes: Number(lanes),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
}

/** Too many passwords wait to be hashed: nothing was done, the caller may try again in a moment. */
export class PasswordsBusy extends Error {
  override readonly name = 'PasswordsBusy';
}

/** Each takes 19 MiB and one of the process's four threads for some 40 ms; files and names need the other two. */
const atOnceMax = 2;
/** What waits longer than a few seconds is not waited for any more. */
const waitingMax = 100;
const waiting: (() => void)[] = [];
let running = 0;

const argon2Async = promisify(argon2);

async function derive(password: string, nonce: Buffer, { memoryKib, passes, lanes }: Cost, tagLength: number) {
  await takeTurn();
  try {
    const message = Buffer.from(normal(password));
    return await argon2Async('argon2id', { message, nonce, memory: memoryKib, passes, parallelism: lanes, tagLength });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next(); // whose turn it is now: `running` stays
  }
}

async function takeTurn(): Promise<void> {
  if (running < atOnceMax) {
    running += 1;
    return;
  }
  if (waiting.length >= waitingMax) throw new PasswordsBusy('too many passwords wait to be hashed: try again');
  await new Promise<void>((resolve) => waiting.push(resolve));
}

/** The same characters, however a keyboard composed them (NIST SP 800-63B, 3.1.1.2). */
function normal(text: string): string {
  return text.normalize('NFKC');
}

/** As PHC strings have it: without padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
