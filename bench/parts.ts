import { type OtherWorld, withCheckout } from './checkout.ts';
import { accessKind, paymentKind, paymentTarget, readKind } from './kinds.ts';
import { movementKind } from './movements.ts';
import { accessKinds, listKinds, movementKinds, type Options, paymentKinds, readKinds } from './options.ts';
import { type Kind, type Row, type Say, takeRound, takeRounds } from './rounds.ts';
import { type Crowd, countPayments, createCrowd } from './seed.ts';
import { type Stage, watchedOf } from './stage.ts';

/** Payments, and what they bring with them, beside the floor. Nothing is stored at the beginning. */
export async function measurePayments(stage: Stage, { plan, wants }: Options, say: Say): Promise<Row[]> {
  const { world, floor, watched } = stage;
  // The floor is what the others are compared with.
  const names = paymentKinds.filter((name) => name === 'floor' || wants(name));
  const kinds = await Promise.all(names.map((name) => paymentKind(world, floor.target, name)));
  await warmUp(stage, kinds, plan.warmUps, say);
  const rows: Row[] = [];
  for (const dose of [plan.alone, plan.together]) {
    const stored = await countPayments(world);
    rows.push(...(await takeRounds(kinds, dose, { part: 'payments', stored, rounds: plan.rounds, watched, say })));
  }
  return rows;
}

/** Captures, voids and refunds, one after another, beside the floor. Their payments are made between the rounds. */
export async function measureMovements(stage: Stage, { plan, wants }: Options, say: Say): Promise<Row[]> {
  const { world, floor, watched } = stage;
  const moving = await Promise.all(
    movementKinds.filter((name) => wants(name)).map((name) => movementKind(world, name)),
  );
  const kinds: Kind[] = [{ name: 'floor', target: floor.target }, ...moving];
  await warmUp(stage, kinds, plan.alone.requests, say);
  const stored = await countPayments(world);
  return takeRounds(kinds, plan.alone, { part: 'movements', stored, rounds: plan.rounds, watched, say });
}

/** What it costs to know who calls: requests that read nothing, with a key and without. */
export async function measureAccess({ world, watched }: Stage, { plan }: Options, say: Say): Promise<Row[]> {
  const kinds = await Promise.all(accessKinds.map((name) => accessKind(world, name)));
  const rows: Row[] = [];
  for (const dose of plan.access) {
    for (const kind of kinds) await takeRound(kind, dose, watched);
    const stored = await countPayments(world);
    rows.push(...(await takeRounds(kinds, dose, { part: 'access', stored, rounds: plan.rounds, watched, say })));
  }
  return rows;
}

/** Payments beside those of another version, which stands on a database and a Temporal server of its own. */
export async function measureAgainst(stage: Stage, { plan, against }: Options, say: Say): Promise<Row[]> {
  if (against === null) return [];
  say(`unpacking ${against}`);
  return withCheckout(against, async ({ name, startWorld }) => {
    const other = await startWorld({ durable: true });
    try {
      const kinds = [await anyPayment(name, other), await anyPayment('payment', stage.world)];
      return await compare(stage, other, kinds, plan.against, say);
    } finally {
      await other.close();
    }
  });
}

async function anyPayment(name: string, world: Pick<OtherWorld, 'apiUrl' | 'createMerchant'>): Promise<Kind> {
  const merchant = await world.createMerchant();
  return { name, target: paymentTarget(world.apiUrl, merchant.testKey) };
}

async function compare(
  stage: Stage,
  other: OtherWorld,
  kinds: readonly Kind[],
  { rounds, warmUps, doses }: Options['plan']['against'],
  say: Say,
): Promise<Row[]> {
  const { world, floor } = stage;
  await warmUp(stage, kinds, warmUps, say);
  const watched = watchedOf(floor, world, other);
  const rows: Row[] = [];
  for (const dose of doses) {
    const stored = await countPayments(world);
    rows.push(...(await takeRounds(kinds, dose, { part: 'against', stored, rounds, watched, say })));
  }
  return rows;
}

/** One merchant's payments become more and more: what that does to payments and lists, and in the end to all reads. */
export async function measureStored(stage: Stage, options: Options, say: Say): Promise<Row[]> {
  const crowd = await createCrowd(stage.world);
  const growth = options.wants('growth') ? await measureGrowth(stage, crowd, options, say) : [];
  return [...growth, ...(await measureReads(stage, crowd, options, say))];
}

async function measureGrowth(stage: Stage, crowd: Crowd, { plan }: Options, say: Say): Promise<Row[]> {
  const { world, floor, watched } = stage;
  const { sizes, warmUps, payments, lists } = plan.growth;
  const paying: Kind[] = [
    { name: 'floor', target: floor.target },
    { name: 'payment', target: paymentTarget(world.apiUrl, crowd.merchant.testKey) },
  ];
  await warmUp(stage, paying, warmUps, say);
  const rows: Row[] = [];
  for (const size of sizes) {
    await fill(crowd, size, say);
    const listing = await Promise.all(listKinds.map((name) => readKind(world, crowd, name)));
    await warmUp(stage, listing, plan.warmUps, say);
    const setting = { part: 'growth', stored: await countPayments(world), rounds: plan.rounds, watched, say } as const;
    rows.push(...(await takeRounds(listing, lists, setting)));
    rows.push(...(await takeRounds(paying, payments, setting)));
  }
  return rows;
}

async function measureReads(stage: Stage, crowd: Crowd, { plan, wants }: Options, say: Say): Promise<Row[]> {
  const { world, watched } = stage;
  const names = readKinds.filter((name) => wants(name));
  if (names.length === 0) return [];
  await fill(crowd, Math.max(...plan.growth.sizes), say);
  const kinds = await Promise.all(names.map((name) => readKind(world, crowd, name)));
  await warmUp(stage, kinds, plan.warmUps, say);
  const stored = await countPayments(world);
  return takeRounds(kinds, plan.reads, { part: 'reads', stored, rounds: plan.rounds, watched, say });
}

async function fill(crowd: Crowd, size: number, say: Say): Promise<void> {
  say(`storing up to ${size} payments`);
  await crowd.fill(size);
}

async function warmUp({ watched }: Stage, kinds: readonly Kind[], requests: number, say: Say): Promise<void> {
  say(`warming up: ${kinds.map(({ name }) => name).join(', ')}`);
  for (const kind of kinds) await takeRound(kind, { clients: 24, requests }, watched);
}
