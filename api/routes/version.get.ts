import { z } from 'zod';
import { product } from '../../runtime/version.ts';
import { publicRoute } from '../route.ts';

const schema = z.object({
  name: z.string(),
  version: z.string(),
  api_version: z.literal('v1'),
  node: z.string().describe('Of the process that answers'),
});

/** `GET /api/v1/version`. */
export const getVersion = publicRoute(
  {
    operationId: 'getVersion',
    method: 'get',
    path: '/api/v1/version',
    summary: 'What runs here?',
    description: 'The product, its version and that of its API.',
    permission: null,
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'The version', schema } },
    problems: [],
  },
  async () => ({
    status: 200,
    data: { name: product.name, version: product.version, api_version: 'v1', node: process.versions.node },
  }),
);
