import type { World } from './world.ts';

/** What every book holds of a payment and its captures, voids and refunds; equal stories are equal objects. */
export interface Story {
  /** Status, and the amounts authorized, captured, voided and refunded. */
  readonly payment: string;
  /** Kind, state and amount of each movement. */
  readonly movements: readonly string[];
  /** Sequence and type, by object, in the order in which the objects began. */
  readonly events: readonly string[];
  /** Operation, number, state, and how often it was sent. */
  readonly attempts: readonly string[];
  /** What the bank booked. */
  readonly booked: readonly string[];
  /** Account and amount of each posting. */
  readonly postings: readonly string[];
}

/** Reads the story of a payment. */
export async function storyOf(world: World, paymentId: string): Promise<Story> {
  const lines = async (text: string) =>
    (await world.admin.query<{ line: string }>(text, [paymentId])).rows.map((row) => row.line);
  const [payment = ''] = await lines(
    `SELECT concat_ws(' ', status, authorized_amount, captured_amount, voided_amount, refunded_amount) AS line
     FROM payments WHERE id = $1`,
  );
  const { rows } = await world.admin.query<{ id: string }>(
    'SELECT id FROM movements WHERE payment_id = $1 ORDER BY created_at, id',
    [paymentId],
  );
  const ids = [paymentId, ...rows.map(({ id }) => id)];
  const booked = (await world.bank.movements()).filter(({ reference }) => ids.includes(reference));
  return {
    payment,
    movements: await lines(
      `SELECT concat_ws(' ', kind, state, amount) AS line FROM movements WHERE payment_id = $1 ORDER BY created_at, id`,
    ),
    events: await lines(
      `SELECT concat_ws(' ', e.sequence, e.type) AS line FROM events e LEFT JOIN movements m ON m.id = e.object_id
       WHERE e.object_id = $1 OR m.payment_id = $1 ORDER BY m.created_at NULLS FIRST, m.id, e.sequence`,
    ),
    attempts: await lines(
      `SELECT concat_ws(' ', operation, number, state, sends) AS line FROM attempts WHERE payment_id = $1
       ORDER BY movement_id NULLS FIRST, number`,
    ),
    booked: booked.map(({ kind, amount_minor }) => `${kind} ${amount_minor}`),
    postings: await lines(
      `SELECT concat_ws(' ', account, amount) AS line FROM ledger_entries WHERE payment_id = $1 ORDER BY position`,
    ),
  };
}
