import { z } from 'zod';
import { findTestClocks } from '../../prisma/test-clocks.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { merchantRoute } from '../route.ts';
import { testClockSchema, toTestClockObject } from '../test-clock-object.ts';

const query = z.strictObject(pageQuery);

const cursors = cursorsOf('test-clocks', createdPosition);

/** `GET /api/v1/test-clocks`. */
export const listTestClocks = merchantRoute(
  {
    operationId: 'listTestClocks',
    method: 'get',
    path: '/api/v1/test-clocks',
    summary: 'List test clocks',
    description: 'Newest first. Live mode has none.',
    permission: 'test_clocks:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of test clocks', schema: testClockSchema } },
    problems: [],
  },
  async (deps, { query: asked }, caller) => {
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const rows = await findTestClocks(deps.db, caller, page);
    return pageOf(rows, asked.limit, toTestClockObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);
