import { z } from 'zod';
import { findBatches } from '../../prisma/batches.ts';
import { batchKind, batchSchema, batchStatus, toBatchObject } from '../batch-object.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { merchantRoute } from '../route.ts';
import { words } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  status: batchStatus.optional(),
  kind: batchKind.optional(),
  reference: words(100).optional(),
});

const cursors = cursorsOf('batches', createdPosition);

/** `GET /api/v1/batches`. */
export const listBatches = merchantRoute(
  {
    operationId: 'listBatches',
    method: 'get',
    path: '/api/v1/batches',
    summary: 'List batches',
    description: 'Newest first, dry runs and refused files too. All filters that you send must fit.',
    permission: 'batches:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of batches', schema: batchSchema } },
    problems: [],
  },
  async (deps, { query: asked }, caller) => {
    const { status, kind, reference } = asked;
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const rows = await findBatches(deps.db, caller, { status, kind, reference }, page);
    return pageOf(rows, asked.limit, toBatchObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);
