import { openMovement as open } from '../prisma/movements.ts';
import type { OpenedMovement, OpenMovement } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Commits a capture, void or refund as pending, or says why it may not be. */
export async function openMovement({ db, providers }: ActivityDeps, input: OpenMovement): Promise<OpenedMovement> {
  const perCapture = [...providers.values()].filter(({ refundsPer }) => refundsPer === 'capture');
  return open(
    db,
    input,
    perCapture.map(({ name }) => name),
  );
}
