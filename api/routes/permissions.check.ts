import { z } from 'zod';
import { refusalOf } from '../middleware/authorize.ts';
import { selfRoute } from '../route.ts';
import { permissionName } from '../token-object.ts';

const body = z.strictObject({ permissions: z.array(permissionName).min(1).max(100) }).meta({ id: 'CheckPermissions' });

const schema = z
  .object({ permissions: z.record(z.string(), z.boolean()).describe('Each that was asked for: whether it is granted') })
  .meta({ id: 'CheckedPermissions' });

/** `POST /api/v1/auth/permissions/check`. */
export const checkPermissions = selfRoute(
  {
    operationId: 'checkPermissions',
    method: 'post',
    path: '/api/v1/auth/permissions/check',
    summary: 'Ask what one may do',
    description:
      'Says of each permission whether a route that needs it would let this key or token in. Limits, addresses and hours are ' +
      'another matter.',
    permission: 'self',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'What is granted', schema } },
    problems: ['invalid_json', 'body_too_large', 'unsupported_media_type'],
  },
  async (_deps, request, who) => {
    const checked = request.body.permissions.map((name) => [name, refusalOf(who, name) === null] as const);
    return { status: 200, data: { permissions: Object.fromEntries(checked) } };
  },
);
