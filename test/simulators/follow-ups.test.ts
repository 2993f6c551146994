import { describe, expect, test } from 'vitest';
import { authorized, charged, follow, lookUpFollowUps, said } from './easypay.ts';
import {
  accounts,
  apiKey,
  control,
  faultReport,
  inject,
  isUnanswered,
  lookUp,
  movements,
  outcomeOf,
  parking,
  send,
  startWorld,
  until,
  untilParked,
} from './harness.ts';

describe('an authorization', () => {
  test('holds the money, which its captures take and its void gives back, each as one movement', async () => {
    const world = await startWorld();
    const { id } = await authorized(world, {});
    expect((await lookUp(world, 'pay_1')).body).toMatchObject({ charges: [{ status: 'approved', captured: false }] });
    const capture = await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '1000' }, 'key-1');
    expect(capture.status).toBe(201);
    expect(capture.body).toEqual({
      id: expect.stringMatching(/^epm_[0-9a-f]{24}$/),
      charge_id: id,
      kind: 'capture',
      reference: 'cap_1',
      idempotency_key: 'key-1',
      status: 'approved',
      amount_minor: '1000',
      currency: 'USD',
      response_code: '00',
      response_message: 'Approved',
      created_at: expect.stringMatching(/Z$/),
    });
    const voided = await follow(world, id, 'voids', { reference: 'voi_1' });
    expect(voided.body).toMatchObject({ kind: 'void', status: 'approved', amount_minor: '1599' });
    const refund = await follow(world, id, 'refunds', { reference: 'ref_1', amount_minor: '400' });
    expect(refund.body).toMatchObject({ kind: 'refund', status: 'approved', amount_minor: '400' });
    expect(await movements(world)).toMatchObject([
      { kind: 'authorize', reference: 'pay_1', amount_minor: '2599' },
      { kind: 'capture', reference: 'cap_1', idempotency_key: 'key-1', amount_minor: '1000' },
      { kind: 'void', reference: 'voi_1', amount_minor: '1599' },
      { kind: 'refund', reference: 'ref_1', amount_minor: '400' },
    ]);
    expect(await accounts(world)).toEqual([
      { id: 'cardholders_USD', currency: 'USD', balance_minor: '-600' },
      { id: 'holds_USD', currency: 'USD', balance_minor: '0' },
      { id: 'merchants_USD', currency: 'USD', balance_minor: '600' },
    ]);
  });

  test('that is pending holds the money when it is approved', async () => {
    const world = await startWorld();
    const { id } = await authorized(world, { card_token: 'tok_visa_pending_7000' });
    expect(said(await follow(world, id, 'captures', { reference: 'cap_1' }))).toBe('409 not_authorized');
    expect(said(await follow(world, id, 'voids', { reference: 'voi_1' }))).toBe('409 not_authorized');
    await until('it holds', async () => (await movements(world))[0]?.kind === 'authorize');
    expect(said(await follow(world, id, 'captures', { reference: 'cap_1' }))).toBe('201');
  });
});

describe('the rules refuse and store nothing', () => {
  test('of a capture: more than is left, then anything, and after a void', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    const capture = async (reference: string, amount_minor: string) =>
      said(await follow(world, id, 'captures', { reference, amount_minor }));
    expect(await capture('cap_1', '2600')).toBe('409 amount_exceeds_authorized');
    expect(await capture('cap_1', '2000')).toBe('201');
    expect(await capture('cap_2', '600')).toBe('409 amount_exceeds_authorized');
    expect(await capture('cap_2', '599')).toBe('201');
    expect(await capture('cap_3', '1')).toBe('409 already_captured');
    expect(said(await follow(world, id, 'voids', { reference: 'voi_1' }))).toBe('409 already_captured');
    const other = await authorized(world, { reference: 'pay_2' });
    await follow(world, other.id, 'voids', { reference: 'voi_2' });
    expect(said(await follow(world, other.id, 'captures', { reference: 'cap_4' }))).toBe('409 already_voided');
    expect(said(await follow(world, other.id, 'voids', { reference: 'voi_3' }))).toBe('409 already_voided');
    expect((await lookUpFollowUps(world, id, 'captures', 'cap_3')).body).toEqual({ movements: [] });
    expect(await movements(world)).toHaveLength(5);
  });

  test('of a refund: before a capture, and more than is captured and not refunded', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    const refund = async (reference: string, amount_minor: string) =>
      said(await follow(world, id, 'refunds', { reference, amount_minor }));
    expect(await refund('ref_1', '1')).toBe('409 not_captured');
    await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '1000' });
    expect(await refund('ref_1', '1001')).toBe('409 amount_exceeds_captured');
    expect(await refund('ref_1', '600')).toBe('201');
    expect(await refund('ref_2', '401')).toBe('409 amount_exceeds_captured');
    expect(await refund('ref_2', '400')).toBe('201');
    expect(await refund('ref_3', '1')).toBe('409 amount_exceeds_captured');
  });

  test('of a charge that was captured at once: only its refunds are left', async () => {
    const world = await startWorld();
    const { id } = await charged(world);
    expect(said(await follow(world, id, 'captures', { reference: 'cap_1' }))).toBe('409 already_captured');
    expect(said(await follow(world, id, 'voids', { reference: 'voi_1' }))).toBe('409 already_captured');
    expect(said(await follow(world, id, 'refunds', { reference: 'ref_1' }))).toBe('201');
    expect(await accounts(world)).toMatchObject([{ balance_minor: '0' }, { balance_minor: '0' }]);
  });

  test('whatever is wrong with the request itself', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    const declined = await authorized(world, { card_token: 'tok_visa_declined_0002' });
    const of = { reference: 'cap_1' };
    expect(said(await follow(world, 'epc_0', 'captures', of))).toBe('404 unknown_charge');
    expect(said(await lookUpFollowUps(world, 'epc_0', 'captures', 'cap_1'))).toBe('404 unknown_charge');
    expect(said(await follow(world, declined.id, 'captures', of))).toBe('409 not_authorized');
    expect(said(await follow(world, id, 'captures', { ...of, currency: 'EUR' }))).toBe('422 currency_mismatch');
    expect(said(await follow(world, id, 'captures', { ...of, amount_minor: '0' }))).toBe('400 invalid_request');
    expect(said(await follow(world, id, 'captures', { reference: '' }, 'k'))).toBe('400 invalid_request');
    expect(said(await follow(world, id, 'captures', of, ''))).toBe('400 invalid_request');
    expect(said(await follow(world, id, 'voids', { ...of, amount_minor: '1' }))).toBe('400 invalid_request');
    expect(said(await send(`${world.easypay}/v1/charges/${id}/voids`, { method: 'POST' }))).toBe('401 unauthorized');
    const headers = { authorization: `Bearer ${apiKey}` };
    expect(said(await send(`${world.easypay}/v1/charges/${id}/refunds`, { headers }))).toBe('400 invalid_request');
    expect(await movements(world)).toHaveLength(1);
  });
});

describe('a key', () => {
  test('gives the same again also after a restart, stands for one body, and counts per kind', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    const first = await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '100' }, 'same');
    const again = await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '100' }, 'same');
    expect(again.status).toBe(200);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
    const other = await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '101' }, 'same');
    expect(said(other)).toBe('409 idempotency_key_reused');
    const elsewhere = await authorized(world, { reference: 'pay_2' });
    const moved = await follow(world, elsewhere.id, 'captures', { reference: 'cap_1', amount_minor: '100' }, 'same');
    expect(said(moved)).toBe('409 idempotency_key_reused');
    expect(said(await follow(world, id, 'refunds', { reference: 'ref_1', amount_minor: '100' }, 'same'))).toBe('201');
    await world.stop();
    const restarted = await startWorld(world.folder);
    const replay = await follow(restarted, id, 'captures', { reference: 'cap_1', amount_minor: '100' }, 'same');
    expect(replay.body).toEqual(first.body);
    const found = await lookUpFollowUps(restarted, id, 'captures', 'cap_1');
    expect(found.body).toEqual({ movements: [first.body] });
    expect(await movements(restarted)).toHaveLength(4);
  });

  test('is in progress while its call is parked', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    await control(world, 'PUT', '/park/easypay', { operation: 'void', point: 'before_commit', reference: 'voi_1' });
    const call = follow(world, id, 'voids', { reference: 'voi_1' });
    await untilParked(world, 1);
    expect(said(await follow(world, id, 'voids', { reference: 'voi_1' }))).toBe('409 request_in_progress');
    await control(world, 'DELETE', '/park/easypay');
    expect(said(await call)).toBe('201');
  });
});

describe('at one moment', () => {
  test('fifty captures take no more than was authorized, and each refusal says so', async () => {
    const world = await startWorld();
    const { id } = await authorized(world, { amount_minor: '1000' });
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        follow(world, id, 'captures', { reference: `cap_${index}`, amount_minor: '300' }),
      ),
    );
    const outcomes = replies.map(said);
    expect(outcomes.filter((outcome) => outcome === '201')).toHaveLength(3);
    expect(outcomes.filter((outcome) => outcome === '409 amount_exceeds_authorized')).toHaveLength(47);
    expect((await movements(world)).filter((movement) => movement.kind === 'capture')).toHaveLength(3);
  });

  test('fifty refunds give back no more than was captured', async () => {
    const world = await startWorld();
    const { id } = await charged(world, { amount_minor: '1000' });
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        follow(world, id, 'refunds', { reference: `ref_${index}`, amount_minor: '300' }),
      ),
    );
    expect(replies.map(said).filter((outcome) => outcome === '201')).toHaveLength(3);
    expect((await accounts(world)).map((account) => account.balance_minor)).toEqual(['-100', '100']);
  });

  test('a capture and a void: what was allowed when the call came in is asked again at its commit', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    await control(world, 'PUT', '/park/easypay', { operation: 'capture', point: 'before_commit' });
    const capture = follow(world, id, 'captures', { reference: 'cap_1' });
    await untilParked(world, 1);
    expect(said(await follow(world, id, 'voids', { reference: 'voi_1' }))).toBe('201');
    await control(world, 'DELETE', '/park/easypay');
    expect(said(await capture)).toBe('409 already_voided');
    expect((await movements(world)).map((movement) => movement.kind)).toEqual(['authorize', 'void']);
    // The refusal kept nothing: not even its key.
    expect(said(await follow(world, id, 'captures', { reference: 'cap_1' }))).toBe('409 already_voided');
    expect((await parking(world)).parked).toEqual([]);
  });
});

describe('a card', () => {
  test.for([
    ['tok_visa_capture_declined_0057', 'captures', 'N0'],
    ['tok_visa_refund_declined_0058', 'refunds', 'R0'],
  ] as const)('%s declines its %s with code %s and moves nothing', async ([token, what, code]) => {
    const world = await startWorld();
    const { id } = await charged(world, { card_token: token, capture: what === 'refunds' });
    const reply = await follow(world, id, what, { reference: 'mov_1' });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({ status: 'declined', response_code: code });
    expect((await lookUpFollowUps(world, id, what, 'mov_1')).body).toEqual({ movements: [reply.body] });
    expect(await movements(world)).toHaveLength(1);
  });

  test.for([
    ['tok_visa_capture_pending_7200', 'captures', 'amount_exceeds_authorized'],
    ['tok_visa_refund_pending_7100', 'refunds', 'amount_exceeds_captured'],
  ] as const)('%s keeps its %s waiting, reserved meanwhile, also over a restart', async ([token, what, refusal]) => {
    const world = await startWorld();
    const { id } = await charged(world, { card_token: token, capture: what === 'refunds' });
    const reply = await follow(world, id, what, { reference: 'mov_1', amount_minor: '2000' });
    expect(reply.body).toMatchObject({ status: 'pending', response_code: '09' });
    expect(said(await follow(world, id, what, { reference: 'mov_2', amount_minor: '600' }))).toBe(`409 ${refusal}`);
    expect(await movements(world)).toHaveLength(1);
    await world.stop();
    const again = await startWorld(world.folder);
    expect((await lookUpFollowUps(again, id, what, 'mov_1')).body).toEqual({ movements: [reply.body] });
    await until('it is approved', async () => (await movements(again)).length === 2);
    expect((await lookUpFollowUps(again, id, what, 'mov_1')).body).toMatchObject({
      movements: [{ status: 'approved', response_code: '00', amount_minor: '2000' }],
    });
    expect((await follow(again, id, what, { reference: 'mov_1', amount_minor: '2000' })).status).toBe(200);
    expect(await movements(again)).toHaveLength(2);
  });

  test.for([
    ['tok_visa_later_9996', ['51', '00', '00']],
    ['tok_visa_later_9997', ['51', '51', '00']],
  ] as const)('%s answers the keys of a reference with %o', async ([token, codes]) => {
    const world = await startWorld();
    for (const reference of ['pay_1', 'pay_2']) {
      for (const key of ['one', 'two', 'three']) {
        await charged(world, { card_token: token, reference }, `${reference}_${key}`);
      }
      const charges = codes.map((code) => ({ response_code: code }));
      expect((await lookUp(world, reference)).body).toMatchObject({ charges });
    }
    expect(await movements(world)).toHaveLength(2 * codes.filter((code) => code === '00').length);
  });
});

describe('a fault', () => {
  test.for(['captures', 'voids', 'refunds'] as const)('strikes %s by their own operation', async (what) => {
    const world = await startWorld();
    const { id } = await charged(world, { capture: what === 'refunds' });
    const operation = what.slice(0, -1);
    const once = (fault: string) => ({ operation, fault, times: 1 });
    await inject(world, once('500_before'), once('lost_after'), once('wrong_amount'));
    const call = () => follow(world, id, what, { reference: 'mov_1' });
    expect(await outcomeOf(call())).toBe(500);
    expect(await movements(world)).toHaveLength(1);
    expect(await outcomeOf(call())).toBe('UND_ERR_SOCKET');
    expect((await call()).body).toMatchObject({ amount_minor: '2600' });
    expect((await call()).body).toMatchObject({ amount_minor: '2599' });
    expect(await movements(world)).toMatchObject([{}, { kind: operation, amount_minor: '2599' }]);
    expect(await faultReport(world)).toMatchObject({
      injected: { '500_before': 1, lost_after: 1, wrong_amount: 1 },
      served: { [operation]: 1 },
    });
  });

  test('that comes after the commit strikes no call that its commit refused', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    await inject(world, { operation: 'capture', fault: 'wrong_amount' });
    await control(world, 'PUT', '/park/easypay', { operation: 'capture', point: 'before_commit' });
    const capture = follow(world, id, 'captures', { reference: 'cap_1' });
    await untilParked(world, 1);
    await follow(world, id, 'voids', { reference: 'voi_1' });
    await control(world, 'DELETE', '/park/easypay');
    expect(said(await capture)).toBe('409 already_voided');
    expect(await faultReport(world)).toMatchObject({ injected: {}, served: { capture: 1, void: 1 } });
  });

  test('that commits late answers nothing, even where the late commit is refused', async () => {
    const world = await startWorld();
    const { id } = await authorized(world);
    await inject(world, { operation: 'capture', fault: 'late_commit', times: 1, delay_ms: 300 });
    const outcome = outcomeOf(follow(world, id, 'captures', { reference: 'cap_1' }));
    const again = async () => said(await follow(world, id, 'captures', { reference: 'cap_1' }));
    await until('it is on its way', async () => (await again()) === '409 request_in_progress');
    await follow(world, id, 'voids', { reference: 'voi_1' });
    await until('it has ended', async () => (await again()) === '409 already_voided');
    expect(await isUnanswered(outcome)).toBe(true);
    expect((await movements(world)).map((movement) => movement.kind)).toEqual(['authorize', 'void']);
    expect((await faultReport(world)).injected).toEqual({});
    await world.stop();
    expect(await outcome).not.toBe(409);
  });
});
