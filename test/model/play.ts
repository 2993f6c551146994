import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { getPayment } from '../../workflows/contract.ts';
import { callApi } from '../support/api-call.ts';
import type { World } from '../support/world.ts';
import { auditOf, type Bookkeeping, isIn, type Rows, readRows } from './books.ts';
import { type Card, capturableOf, type Facts, isAtRest, type Life, laterOf, newborn, refundableOf } from './model.ts';
import { type Answer, type Asked, type Exchange, expectations, follow } from './outcomes.ts';
import { playTrick } from './provider-events.ts';
import { type Command, describeSequence, type Sequence, type Share, type Wait } from './sequence.ts';
import type { Tally } from './tally.ts';
import { decimalOf, postUntilDefinite, type WireAnswer, type WirePayment } from './wire.ts';

/** The product did what the model cannot explain. The message tells the whole story. */
export class Contradiction extends Error {
  override readonly name = 'Contradiction';
}

const tokens: Readonly<Record<Card, string>> = {
  approves: 'tok_visa_4242',
  declines: 'tok_visa_declined_0002',
  challenges: 'tok_visa_challenge_3220',
  'takes its time': 'tok_visa_pending_7000',
  'approves the second time': 'tok_visa_later_9996',
  'approves the third time': 'tok_visa_later_9997',
  'declines captures': 'tok_visa_capture_declined_0057',
  'takes its time with captures': 'tok_visa_capture_pending_7200',
  'declines refunds': 'tok_visa_refund_declined_0058',
  'takes its time with refunds': 'tok_visa_refund_pending_7100',
};

/** The fee of every merchant here: large enough to be all of a tiny payment. */
const fee = { basisPoints: 275, fixed: { USD: '0.30', JPY: '30', KWD: '0.100', CLF: '0.0100' } };
const fixedFeeMinor = { USD: 30n, JPY: 30n, KWD: 100n, CLF: 100n };

/** The terms of a short payment, in seconds. */
const shortSeconds = 4;

/** Faults, a killed worker and a busy machine take their time; a payment that needs more than this hangs. */
const restWithinMs = 180_000;
const lookEveryMs = 100;
/** What was written may show in feeds some moments later. */
const auditWithinMs = 20_000;

/** Something that was posted, and may be again. */
interface Posted {
  readonly asked: Extract<Asked, { kind: 'create' | 'capture' | 'cancel' | 'refund' }>;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly key: string;
}

interface Game {
  readonly sequence: Sequence;
  readonly books: Bookkeeping;
  readonly tally: Tally;
  readonly posted: Posted[];
  readonly story: string[];
  /** All ways in which the payment may stand now. */
  lives: Life[];
  redirectUrl: string | null;
  /** Nothing was asked for since it came to rest. */
  isSettled: boolean;
}

/** Plays a sequence against the real thing. Throws a `Contradiction` where the model cannot explain what it sees. */
export async function play(world: World, sequence: Sequence, tally: Tally): Promise<void> {
  const game = await begin(world, sequence, tally);
  try {
    await create(game);
    for (const turn of sequence.turns) {
      await take(game, turn.commands);
      await (turn.rests ? rest(game) : look(game));
    }
    await rest(game);
    await resolveAll(game);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const rows = game.books.paymentId === '' ? null : await readRows(game.books);
    const now = rows === null ? 'it was never accepted' : `now ${game.books.paymentId} is ${rowsText(rows)}`;
    throw new Contradiction([said, describeSequence(sequence), ...game.story, now].join('\n'), { cause: error });
  }
}

/** A merchant for the payment alone, so that balance and ledger are its own. */
async function begin(world: World, sequence: Sequence, tally: Tally): Promise<Game> {
  const { amount, isManual, card, rounds, isShort, currency } = sequence;
  const facts: Facts = { amount, isManual, card, rounds, isShort };
  const short = { capture_within: shortSeconds, action_within: shortSeconds };
  const settings = { fee: { basis_points: fee.basisPoints, fixed: fee.fixed }, ...(isShort ? short : {}) };
  const merchant = await world.createMerchant(settings);
  const caller = { apiUrl: world.apiUrl, apiKey: merchant.testKey };
  const feeTerms = { basisPoints: BigInt(fee.basisPoints), fixed: fixedFeeMinor[currency] };
  const books = { world, caller, paymentId: '', currency, facts, fee: feeTerms };
  return { sequence, books, tally, posted: [], story: [], lives: [newborn], redirectUrl: null, isSettled: true };
}

async function create(game: Game): Promise<void> {
  const { sequence, books } = game;
  const { currency, amount, isManual, card, rounds } = sequence;
  const body = {
    amount: decimalOf(amount, currency),
    currency,
    payment_method: 'credit_card',
    card_token: tokens[card],
    capture: isManual ? 'manual' : 'automatic',
    ...(rounds > 1 ? { retry: { schedule: [1], attempts_max: rounds } } : {}),
  };
  const asked = { kind: 'create', isOther: false } as const;
  const creation: Posted = { asked, path: '/api/v1/payments', body, key: randomUUID() };
  game.posted.push(creation);
  const answer = await send(game, creation, sequence.wait);
  if (answer.id === null) throw new Error(`the creation was answered ${answer.status} ${answer.code}`);
  game.story.push(`create ${answer.id}: ${textOf(answer)}`);
  Object.assign(books, { paymentId: answer.id });
  narrow(game, [{ asked, answer }]);
  await (sequence.rests ? rest(game) : look(game));
}

/** Does the commands of a turn, all at the same time, and follows what may have come of it. */
async function take(game: Game, commands: readonly Command[]): Promise<void> {
  const { tally } = game;
  const acts = [];
  for (const command of commands) acts.push(await prepare(game, command));
  if (commands.length > 1) {
    tally.count('together');
    tally.count(
      `together: ${commands
        .map(({ kind }) => kind)
        .toSorted()
        .join(', ')}`,
    );
  }
  const exchanges = (await Promise.all(acts.map((act) => act()))).flat();
  const prefix = exchanges.length > 1 ? 'together: ' : '';
  game.story.push(prefix + exchanges.map(({ asked, answer }) => `${askedText(asked)}: ${textOf(answer)}`).join('; '));
  for (const { asked, answer } of exchanges) {
    tally.count(`asked ${asked.kind}`);
    tally.count(`answered ${asked.kind}: ${answer.status}${answer.code === null ? '' : ` ${answer.code}`}`);
  }
  // Events, and what was never sent, are no part of the order of what the API was asked to do.
  narrow(game, exchanges);
}

type Act = () => Promise<Exchange[]>;

/** What a command means now. It is sent when the act is called. */
async function prepare(game: Game, command: Command): Promise<Act> {
  game.tally.count(`command ${command.kind}`);
  switch (command.kind) {
    case 'capture':
    case 'refund':
    case 'cancel':
      return postOf(game, postedFor(game, command), command.wait, false);
    case 'repeat': {
      const earlier = game.posted.at(-1 - (command.back % game.posted.length));
      if (earlier === undefined) throw new Error('there is always the creation to repeat');
      return postOf(game, command.isOther ? withOtherBody(game, earlier) : earlier, command.wait, true);
    }
    case 'payer':
      return payerOf(game, command);
    case 'event':
      return eventOf(game, command.trick);
    case 'resolve':
      return resolutionOf(game, command.fits);
  }
}

function postedFor(game: Game, command: Extract<Command, { kind: 'capture' | 'refund' | 'cancel' }>): Posted {
  const { paymentId, currency } = game.books;
  const key = randomUUID();
  const path = `/api/v1/payments/${paymentId}/${command.kind}`;
  if (command.kind === 'cancel') return { asked: { kind: 'cancel' }, path, body: {}, key };
  const [life = newborn] = game.lives;
  const amount = amountOf(command.share, command.kind === 'capture' ? capturableOf(life) : refundableOf(life));
  const body = amount === null ? {} : { amount: decimalOf(amount, currency) };
  return { asked: { kind: command.kind, key, body: JSON.stringify(body), amount }, path, body, key };
}

function amountOf(share: Share, left: bigint): bigint | null {
  if (share === 'unnamed') return null;
  if (share === 'too much') return left + 1n;
  if (share === 'the least' || left <= 0n) return 1n;
  if (share === 'all') return left;
  const part = (left * BigInt(share.permille)) / 1_000n;
  return part > 0n ? part : 1n;
}

/** The same key, and something else wanted. */
function withOtherBody(game: Game, posted: Posted): Posted {
  const { asked, body } = posted;
  switch (asked.kind) {
    case 'create':
      return { ...posted, asked: { ...asked, isOther: true }, body: { ...body, description: 'another' } };
    case 'cancel':
      return { ...posted, body: { reason: 'another' } }; // no part of what is asked: why
    case 'capture':
    case 'refund': {
      const amount = asked.amount === null ? 1n : null;
      const other = amount === null ? {} : { amount: decimalOf(amount, game.books.currency) };
      return { ...posted, asked: { ...asked, amount, body: JSON.stringify(other) }, body: other };
    }
  }
}

function postOf(game: Game, posted: Posted, wait: Wait, isRepeat: boolean): Act {
  if (!isRepeat) game.posted.push(posted);
  return async () => {
    const answer = await send(game, posted, wait);
    if (answer.isReplay) game.tally.count('replayed');
    return [{ asked: posted.asked, answer }];
  };
}

function send({ books, tally }: Game, { path, body, key }: Posted, wait: Wait): Promise<WireAnswer> {
  return tally.timed(() => postUntilDefinite(books.caller, { path, body, key, wait }));
}

/** The payer's page, where one is known: it stays known when it is over. */
async function payerOf(game: Game, command: Extract<Command, { kind: 'payer' }>): Promise<Act> {
  const { caller, paymentId } = game.books;
  const path = `/api/v1/payments/${paymentId}`;
  const { body } = await callApi<{ data: WirePayment }>(caller.apiUrl, caller.apiKey, { path });
  game.redirectUrl = body.data.next_action?.redirect_url ?? game.redirectUrl;
  const { redirectUrl } = game;
  if (redirectUrl === null) return () => Promise.resolve([]);
  const { approves, comesBack } = command;
  return async () => {
    const outcome = new URLSearchParams({ outcome: approves ? 'approve' : 'decline' });
    const { status, headers } = await fetch(redirectUrl, { method: 'POST', body: outcome, redirect: 'manual' });
    const back = headers.get('location');
    if (status === 303 && comesBack && back !== null) await comeBack(back);
    if (status === 303) game.tally.count(approves ? 'challenge approved' : 'challenge declined');
    const asked = { kind: 'payer', approves } as const;
    return [{ asked, answer: { status, code: null, payment: null, refund: null } }];
  };
}

async function comeBack(url: string): Promise<void> {
  const { status } = await fetch(url, { redirect: 'manual' });
  if (status !== 200) throw new Error(`the payer who came back was answered ${status}`);
}

async function eventOf(game: Game, trick: Extract<Command, { kind: 'event' }>['trick']): Promise<Act> {
  const { world, paymentId, currency } = game.books;
  const rows = await readRows(game.books);
  return async () => {
    game.tally.count(`event ${trick}`);
    const answers = await playTrick(world, { paymentId, currency, moves: rows?.moves ?? [] }, trick);
    for (const { isGenuine, answer } of answers) {
      const isRight = isGenuine ? answer.status === 200 : answer.status === 401 && answer.code === 'event_refused';
      if (!isRight) throw new Error(`an event (${trick}) was answered ${answer.status} ${answer.code}`);
    }
    game.story.push(`event ${trick}: ${answers.map(({ answer }) => answer.status).join(', ')}`);
    return [];
  };
}

/** The operator says what the bank's book says, of the payment or of a refund, whichever is unresolved; or a word that does not fit. */
async function resolutionOf(game: Game, fits: boolean): Promise<Act> {
  const { world, paymentId } = game.books;
  const rows = await readRows(game.books);
  const refund = rows?.moves.find(({ kind, state }) => kind === 'refund' && state === 'unresolved');
  const isOfRefund = refund !== undefined && rows?.status !== 'unresolved';
  const path = isOfRefund ? `/api/v1/refunds/${refund.id}/resolve` : `/api/v1/payments/${paymentId}/resolve`;
  const open = rows?.moves.find(({ kind, state }) => kind !== 'refund' && state === 'unresolved');
  const truth = isOfRefund ? 'refunded' : truthOf(game.sequence, open?.kind);
  const outcome = fits ? truth : isOfRefund ? 'captured' : truth === 'canceled' ? 'captured' : 'canceled';
  const body = { outcome, evidence: 'the bank’s book', reason: 'looked up' };
  const asked: Asked = isOfRefund
    ? { kind: 'resolve refund', key: refund.key, fits }
    : { kind: 'resolve payment', fits };
  const operator = { apiUrl: world.apiUrl, apiKey: world.operatorKey };
  return async () => {
    const answer = await game.tally.timed(() =>
      postUntilDefinite(operator, { path, body, key: randomUUID(), wait: 20 }),
    );
    if (answer.status === 200) game.tally.count('resolved');
    return [{ asked, answer }];
  };
}

/** Whatever the provider named another amount of has happened: it only names it so where it approves. */
function truthOf({ isManual }: Sequence, kind: string | undefined): string {
  if (kind === undefined) return isManual ? 'authorized' : 'captured';
  return kind === 'void' ? 'canceled' : 'captured';
}

/** Keeps the ways that explain what was answered. */
function narrow(game: Game, exchanges: readonly Exchange[]): void {
  if (exchanges.length === 0) return;
  const { facts } = game.books;
  const after = follow(game.lives, { facts, isSettled: game.isSettled }, exchanges);
  if (after.length === 0) {
    const expected = exchanges.map(
      ({ asked }) => `${askedText(asked)}: ${expectations(game.lives, facts, asked).join(', or ')}`,
    );
    const shown = exchanges.map(({ answer }) => textOf(answer));
    throw new Error(`no order explains the answers [${shown.join('; ')}]; expected were [${expected.join('; ')}]`);
  }
  game.lives = after;
  game.isSettled = false;
}

/** Looks at the rows, and keeps the ways in which they may be so. */
async function look(game: Game): Promise<Rows> {
  const rows = await readRows(game.books);
  if (rows === null) throw new Error('the payment has no row');
  const after = laterOf(game.lives, game.books.facts).filter((life) => isIn(life, rows));
  if (after.length === 0) throw new Error(`the payment cannot stand so: ${rowsText(rows)}`);
  game.lives = after;
  return rows;
}

/** Waits until nothing is under way, and audits all books. */
async function rest(game: Game): Promise<void> {
  const { facts } = game.books;
  const deadline = Date.now() + restWithinMs;
  for (;;) {
    const rows = await look(game);
    const still = game.lives.filter((life) => isAtRest(life, facts));
    if (still.length > 0) {
      game.lives = still;
      await hearWorkflow(game, deadline);
      game.isSettled = true;
      return audit(game);
    }
    if (Date.now() > deadline) throw new Error(`it did not come to rest in ${restWithinMs} ms: ${rowsText(rows)}`);
    await pause(lookEveryMs);
  }
}

/** A query is answered when the workflow has done what it had to do: after a kill that may be seconds behind the rows. */
async function hearWorkflow({ books: { world, paymentId } }: Game, deadline: number): Promise<void> {
  for (;;) {
    try {
      await world.temporal.workflow.getHandle(paymentId).query(getPayment);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(lookEveryMs);
    }
  }
}

async function audit(game: Game): Promise<void> {
  const deadline = Date.now() + auditWithinMs;
  for (;;) {
    const rows = await look(game); // what is unresolved may be told by the provider at any time
    const [life] = game.lives;
    const complaints = life === undefined ? ['no life'] : await auditOf(game.books, life, rows);
    if (complaints.length === 0) break;
    if (Date.now() > deadline) throw new Error(`the books disagree: ${complaints.join('; ')}; ${rowsText(rows)}`);
    await pause(lookEveryMs);
  }
  game.tally.count('rests');
  game.tally.count(`rested: ${(await readRows(game.books))?.status}`);
}

/** Nothing is left for an operator when a sequence is over. */
async function resolveAll(game: Game): Promise<void> {
  for (;;) {
    const rows = await look(game);
    if (rows.status !== 'unresolved' && rows.moves.every(({ state }) => state !== 'unresolved')) return;
    await take(game, [{ kind: 'resolve', fits: true }]);
    await rest(game);
  }
}

function askedText(asked: Asked): string {
  const amount = 'amount' in asked ? ` ${asked.amount ?? 'unnamed'}` : '';
  const key = 'key' in asked ? ` (${asked.key.slice(0, 8)})` : '';
  const fits = 'fits' in asked && !asked.fits ? ' with a wrong word' : '';
  const word = asked.kind === 'payer' ? (asked.approves ? ' approves' : ' declines') : '';
  return `${asked.kind}${word}${amount}${key}${fits}`;
}

function textOf({ status, code, payment, refund, ...more }: Answer & { readonly detail?: string | null }): string {
  const shown = payment ?? refund;
  const values = shown === null ? [] : Object.values(shown).map(String);
  const detail = more.detail == null ? [] : [`“${more.detail}”`];
  return [status, ...(code === null ? [] : [code]), ...detail, ...values].join(' ');
}

function rowsText({ moves, ...payment }: Rows): string {
  const shown = moves.map(({ kind, key, amount, state }) => `${kind} ${amount} ${state} (${key.slice(0, 8)})`);
  return `${Object.values(payment).join(' ')} [${shown.join(', ')}]`;
}
