import { z } from 'zod';
import { listUsers } from '../../prisma/users.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { merchantRoute } from '../route.ts';
import { toUserObject, userSchema } from '../user-object.ts';

const cursors = cursorsOf('users', createdPosition);

/** `GET /api/v1/users`. */
export const listUsersRoute = merchantRoute(
  {
    operationId: 'listUsers',
    method: 'get',
    path: '/api/v1/users',
    summary: 'List users',
    description:
      'The merchant’s users, newest first, the invited and the suspended too. They are the same in both modes.',
    permission: 'users:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query: z.strictObject(pageQuery),
    body: undefined,
    responses: { 200: { description: 'A page of users', schema: userSchema } },
    problems: [],
  },
  async ({ db }, { query }, caller) => {
    const page = { after: cursors.read(caller, query), limit: query.limit + 1 };
    const rows = await listUsers(db, caller.merchantId, page);
    return pageOf(rows, query.limit, toUserObject, (row) =>
      cursors.write([row.createdAt.toISOString(), row.id], caller, query),
    );
  },
);
