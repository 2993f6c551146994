import { z } from 'zod';
import type { MerchantSettings } from '../prisma/merchant-settings.ts';
import type { MerchantScope } from '../prisma/payments.ts';
import type { ApiDeps } from './deps.ts';
import type { Problem, ProblemCode } from './errors.ts';

/** What a key may allow. */
export const permissions = {
  'payments:read': 'read payments',
  'payments:write': 'create and change payments',
  'events:read': 'read events',
  'webhooks:read': 'read webhook endpoints',
  'webhooks:write': 'create webhook endpoints',
} as const;

export type Permission = keyof typeof permissions;

/** Who calls, as the key says. */
export interface Caller extends MerchantScope {
  readonly keyId: string;
  readonly permissions: readonly string[];
  readonly settings: MerchantSettings;
}

/** One request to a route, validated. */
export interface RouteRequest<Headers, Params, Body, Query = unknown> {
  readonly headers: Headers;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it was sent, for its hash. */
  readonly rawBody: unknown;
  readonly requestId: string;
  /** The address of the peer. */
  readonly origin: string;
  readonly receivedAt: Date;
}

export interface RouteAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What goes under `data`, or the whole body for routes without an envelope. */
  readonly data: unknown;
  /** Where a list goes on; every list has it, and nothing else does. */
  readonly page?: PageEnd;
}

/** How a page of a list ends, as the wire has it. */
export interface PageEnd {
  readonly has_more: boolean;
  readonly next_cursor: string | null;
}

/**
 * How an answer is wrapped: `object`: `{ data, request_id, timestamp }`. `list`: the same with an array as `data`, and with
 * `has_more` and `next_cursor`. `none`: not at all. `text`: not JSON, but `text/plain`.
 */
export type Envelope = 'object' | 'list' | 'none' | 'text';

/** The query of a route that declares none. */
export const noQuery = z.strictObject({});

/** What a route answers when all is well. */
interface DeclaredResponse {
  readonly description: string;
  /** Of what goes under `data`: for a list, of one element. */
  readonly schema: z.ZodType;
}

/** Everything that is said once about a route: it validates, types the handler, names its permission and is documented. */
export interface RouteDeclaration<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject = typeof noQuery,
> {
  readonly operationId: string;
  readonly method: 'get' | 'post' | 'put';
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** Null: anybody may call it. */
  readonly permission: Permission | null;
  readonly envelope: Envelope;
  readonly headers: Headers;
  readonly params: Params;
  /** Parameters behind the question mark, each at most once; none unless declared. */
  readonly query?: Query;
  readonly body: Body;
  readonly responses: Readonly<Record<number, DeclaredResponse>>;
  readonly problems: readonly ProblemCode[];
}

/** A declaration with what serves it. */
export interface Route extends RouteDeclaration<z.ZodObject, z.ZodObject, z.ZodType | undefined, z.ZodObject> {
  /** `caller` is there exactly when the route has a permission. */
  serve(deps: ApiDeps, request: RouteRequest<unknown, unknown, unknown>, caller: Caller | null): Promise<RouteAnswer>;
  /** What to answer instead, doing nothing, while the database is away; `unavailable` where a route has no better word. */
  refusal?(request: RouteRequest<unknown, unknown, unknown>, caller: Caller | null, outage: unknown): Problem;
}

type RequestOf<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject,
> = RouteRequest<z.infer<Headers>, z.infer<Params>, Body extends z.ZodType ? z.infer<Body> : undefined, z.infer<Query>>;

/** Declares a route that needs a merchant's key. `refusal` is its word for requests while the database is away. */
export function merchantRoute<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject = typeof noQuery,
>(
  declaration: RouteDeclaration<Headers, Params, Body, Query> & { permission: Permission },
  handler: (deps: ApiDeps, request: RequestOf<Headers, Params, Body, Query>, caller: Caller) => Promise<RouteAnswer>,
  refusal?: (request: RequestOf<Headers, Params, Body, Query>, caller: Caller, outage: unknown) => Problem,
): Route {
  const known = (caller: Caller | null): Caller => {
    if (caller === null) throw new Error(`${declaration.operationId} was served without a caller`);
    return caller;
  };
  return {
    ...declaration,
    serve: (deps, request, caller) => handler(deps, request as Parameters<typeof handler>[1], known(caller)),
    ...(refusal && {
      refusal: (request, caller, outage) => refusal(request as Parameters<typeof refusal>[0], known(caller), outage),
    }),
  };
}

/** Declares a route that anybody may call. */
export function publicRoute<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject = typeof noQuery,
>(
  declaration: RouteDeclaration<Headers, Params, Body, Query> & { permission: null },
  handler: (deps: ApiDeps, request: RequestOf<Headers, Params, Body, Query>) => Promise<RouteAnswer>,
): Route {
  return {
    ...declaration,
    serve: (deps, request) => handler(deps, request as Parameters<typeof handler>[1]),
  };
}
