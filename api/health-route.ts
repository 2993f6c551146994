import { z } from 'zod';
import type { ApiDeps } from './deps.ts';
import type { Route, RouteDeclaration } from './route.ts';

/** What a question about our health has of its own. */
interface HealthQuestion<Schema extends z.ZodType>
  extends Pick<
    RouteDeclaration<z.ZodObject, z.ZodObject, undefined>,
    'operationId' | 'path' | 'summary' | 'description'
  > {
  readonly schema: Schema;
  /** Null: anybody may ask, with nothing at all. */
  readonly permission: 'system:read' | null;
}

/** Whether payments can be accepted: 200 or 503, and what the question wants to know beside it. */
export interface HealthAnswer<Data> {
  readonly status: 200 | 503;
  readonly data: Data;
}

/** Declares a route that says whether payments can be accepted, also while the database is away. */
export function healthRoute<Schema extends z.ZodType>(
  { schema, ...question }: HealthQuestion<Schema>,
  ask: (deps: ApiDeps) => Promise<HealthAnswer<z.infer<Schema>>>,
): Route {
  return {
    ...question,
    method: 'get',
    envelope: 'none',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: {
      200: { description: 'Payments can be accepted', schema },
      503: { description: 'Payments cannot be accepted', schema },
    },
    problems: [],
    servesInOutage: true,
    serve: (deps) => ask(deps),
  };
}
