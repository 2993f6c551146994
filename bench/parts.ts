import { paymentKind, paymentTarget, readKind } from './kinds.ts';
import { listKinds, type Options, paymentKinds, readKinds } from './options.ts';
import { type Kind, type Row, type Say, takeRound, takeRounds } from './rounds.ts';
import { type Crowd, countPayments, createCrowd } from './seed.ts';
import type { Stage } from './stage.ts';

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
