import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { authorized, charged, follow, lookUpFollowUps, said, statusOf } from './easypay.ts';
import type { Reply, World } from './harness.ts';
import { charge, lookUp, movements, send, startWorld } from './harness.ts';

const challenged = { card_token: 'tok_visa_challenge_3220' };
const returnUrl = 'http://127.0.0.1:1/way-back?of=pay_1&n=1';

/** Answers the page as a browser sends its form, without following where it leads. */
function answer(url: string | null, outcome: string): Promise<Reply> {
  const body = new URLSearchParams({ outcome });
  return send(String(url), { method: 'POST', body, redirect: 'manual' });
}

const page = (url: string | null): Promise<Reply> => send(String(url));

const kindsMoved = async (world: World) => (await movements(world)).map((movement) => movement.kind);

describe('a charge that its payer must confirm', () => {
  test('waits with the address of a page, and moves the money when the payer approves', async () => {
    const world = await startWorld();
    const reply = await charge(world, { ...challenged, return_url: returnUrl }, { key: 'k' });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({
      status: 'requires_action',
      action_url: expect.stringMatching(new RegExp(`^${world.easypay}/challenge/[\\w-]{32}$`)),
    });
    const { action_url: url } = Object(reply.body);
    expect(await kindsMoved(world)).toEqual([]);
    expect(await statusOf(world, 'pay_1')).toBe('requires_action');
    const way = await answer(url, 'approve');
    expect(way.status).toBe(303);
    expect(way.headers.get('location')).toBe(returnUrl);
    expect(await movements(world)).toMatchObject([{ kind: 'charge', idempotency_key: 'k', amount_minor: '2599' }]);
    const replay = await charge(world, { ...challenged, return_url: returnUrl }, { key: 'k' });
    expect(replay.status).toBe(200);
    expect(replay.body).toEqual({ ...Object(reply.body), status: 'approved', ...approvedWords, action_url: null });
    expect((await lookUp(world, 'pay_1')).body).toEqual({ charges: [replay.body] });
  });

  test('is declined with code 1A when the payer declines, and moves nothing', async () => {
    const world = await startWorld();
    const { action_url: url } = await charged(world, { ...challenged, return_url: returnUrl });
    const way = await answer(url, 'decline');
    expect(way.status).toBe(303);
    expect(way.headers.get('location')).toBe(returnUrl);
    expect((await lookUp(world, 'pay_1')).body).toMatchObject({
      charges: [{ status: 'declined', response_code: '1A', response_message: 'Authentication failed' }],
    });
    expect(await kindsMoved(world)).toEqual([]);
  });

  test('holds the money when it was to be authorized only', async () => {
    const world = await startWorld();
    const { id, action_url: url } = await authorized(world, challenged);
    expect((await answer(url, 'approve')).status).toBe(200);
    expect(await kindsMoved(world)).toEqual(['authorize']);
    expect(said(await follow(world, id, 'captures', { reference: 'cap_1' }))).toBe('201');
  });

  test('still waits after a restart, on a page at the new address', async () => {
    const world = await startWorld();
    await charged(world, challenged, 'k');
    await world.stop();
    const again = await startWorld(world.folder);
    const { action_url: url } = await charged(again, challenged, 'k');
    expect(url).toContain(again.easypay);
    expect((await answer(url, 'approve')).status).toBe(200);
    await again.stop();
    const third = await startWorld(world.folder);
    expect(await statusOf(third, 'pay_1')).toBe('approved');
    expect(await kindsMoved(third)).toEqual(['charge']);
  });

  test('names the address at which browsers reach the face, where that is another', async () => {
    const world = await startWorld(undefined, { easypayPublicUrl: 'https://pay.example' });
    expect((await charged(world, challenged)).action_url).toMatch(/^https:\/\/pay\.example\/challenge\/[\w-]{32}$/);
  });

  test('takes a way back over http or https only', async () => {
    const world = await startWorld();
    for (const wrong of ['javascript:alert(1)', 'ftp://example.com', 'nowhere']) {
      const reply = await charge(world, { ...challenged, return_url: wrong });
      expect(reply.body).toMatchObject({ error: { code: 'invalid_request', field: 'return_url' } });
    }
  });
});

describe('a void before the payer answered', () => {
  test('ends the charge without a movement, and its page is gone, also after a restart', async () => {
    const world = await startWorld();
    const { id, action_url: url } = await charged(world, challenged);
    expect(said(await follow(world, id, 'captures', { reference: 'cap_1' }))).toBe('409 not_authorized');
    const voided = await follow(world, id, 'voids', { reference: 'voi_1' });
    expect(voided.status).toBe(201);
    expect(voided.body).toMatchObject({ kind: 'void', status: 'approved', amount_minor: '0' });
    expect((await page(url)).status).toBe(410);
    expect((await answer(url, 'approve')).status).toBe(410);
    expect(said(await follow(world, id, 'voids', { reference: 'voi_2' }))).toBe('409 already_voided');
    await world.stop();
    const again = await startWorld(world.folder);
    expect((await lookUp(again, 'pay_1')).body).toMatchObject({ charges: [{ status: 'voided', action_url: null }] });
    expect((await lookUpFollowUps(again, id, 'voids', 'voi_1')).body).toEqual({ movements: [voided.body] });
    expect((await follow(again, id, 'voids', { reference: 'voi_1' })).status).toBe(200);
    expect(await kindsMoved(again)).toEqual([]);
  });

  test('and the payer at one moment: only one of them has its way', async () => {
    const world = await startWorld();
    const outcomes: string[] = [];
    for (let round = 1; round <= 10; round += 1) {
      const reference = `pay_${round}`;
      const { id, action_url: url } = await authorized(world, { ...challenged, reference });
      const approve = () => answer(url, 'approve');
      const cancel = () => follow(world, id, 'voids', { reference: `voi_${round}` });
      const calls = round % 2 === 0 ? [approve(), cancel()] : [cancel(), approve()];
      await Promise.all(calls);
      const moved = (await movements(world, `?reference=${reference}`)).length;
      outcomes.push(`${await statusOf(world, reference)} ${moved}`);
    }
    expect(outcomes.filter((one) => one !== 'approved 1' && one !== 'voided 0')).toEqual([]);
    // Whoever came first, nothing is held any more: the void took back what the payer approved before it.
    expect(await held(world)).toBe(0n);
  });
});

describe('the page', () => {
  test('names amount and reference, and asks with two buttons that need no script', async () => {
    const world = await startWorld();
    const fields = { ...challenged, amount_minor: '1234567', reference: 'pay_<b>"&\'' };
    const { action_url: url } = await charged(world, { ...fields, currency: 'KWD' });
    const { status, headers, body } = await page(url);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'; style-src 'sha256-[\w+/=]+'/);
    expect(body).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(body).toContain('<title>Confirm this payment – EasyPay</title>');
    expect(body).toContain('1234.567 KWD');
    expect(body).toContain('pay_&lt;b&gt;&quot;&amp;&#39;');
    expect(body).toContain('<form method="post">');
    expect(body).toMatch(/<button [^>]*name="outcome" value="approve">Approve<\/button>/);
    expect(body).toMatch(/<button [^>]*name="outcome" value="decline">Decline<\/button>/);
    expect(body).toContain('@media (prefers-color-scheme: dark)');
    expect(body).toContain(':focus-visible');
    expect(body).not.toContain('<script');
  });

  test.for([
    ['USD', '5', '0.05 USD'],
    ['JPY', '500', '500 JPY'],
    ['CLF', '12345', '1.2345 CLF'],
  ] as const)('writes amounts in %s with its own decimals', async ([currency, amount_minor, text]) => {
    const world = await startWorld();
    const { action_url: url } = await charged(world, { ...challenged, currency, amount_minor });
    expect((await page(url)).body).toContain(`>${text}<`);
  });

  test('says that it is over when it was answered, and leads back', async () => {
    const world = await startWorld();
    const { action_url: url } = await charged(world, { ...challenged, return_url: returnUrl });
    await answer(url, 'approve');
    for (const reply of [await page(url), await answer(url, 'decline')]) {
      expect(reply.status).toBe(410);
      expect(reply.body).toContain('href="http://127.0.0.1:1/way-back?of=pay_1&amp;n=1"');
    }
    expect(await statusOf(world, 'pay_1')).toBe('approved');
    expect(await kindsMoved(world)).toEqual(['charge']);
  });

  test('says what was done where no way back was named', async () => {
    const world = await startWorld();
    const { action_url: url } = await charged(world, challenged);
    const reply = await answer(url, 'decline');
    expect(reply).toMatchObject({ status: 200, body: expect.stringContaining('Payment declined') });
  });

  test('needs a choice, and does not exist without its token', async () => {
    const world = await startWorld();
    const { action_url: url } = await charged(world, challenged);
    expect((await answer(url, 'maybe')).status).toBe(400);
    expect((await send(String(url), { method: 'POST' })).status).toBe(400);
    for (const reply of [
      await page(`${world.easypay}/challenge/x`),
      await answer(`${world.easypay}/challenge/x`, 'approve'),
    ]) {
      expect(reply).toMatchObject({ status: 404, body: expect.stringContaining('<h1>Page not found</h1>') });
    }
    expect(await statusOf(world, 'pay_1')).toBe('requires_action');
  });

  test('speaks plain HTTP to whoever asks like a browser of old', async () => {
    const world = await startWorld();
    const { action_url: url } = await charged(world, challenged);
    const { port, pathname, host } = new URL(String(url));
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const form = 'outcome=approve';
    const type = 'Content-Type: application/x-www-form-urlencoded';
    socket.write(`POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${type}\r\nContent-Length: ${form.length}\r\n`);
    socket.write(`Connection: close\r\n\r\n${form}`);
    await once(socket, 'end');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toContain('Payment approved');
    expect(await kindsMoved(world)).toEqual(['charge']);
  });
});

const approvedWords = { response_code: '00', response_message: 'Approved' };

async function held(world: World): Promise<bigint> {
  const { body } = await send(`${world.control}/bank/accounts`);
  const holds = Object(body).accounts.find((account: { readonly id: string }) => account.id === 'holds_USD');
  return BigInt(holds?.balance_minor ?? 0);
}
