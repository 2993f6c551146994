import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { ApiDeps } from './deps.ts';
import type { Problem, ProblemCode } from './errors.ts';
import type { MerchantPermission, PlatformPermission } from './permissions.ts';
import type { Caller, Operator, Principal } from './principal.ts';
import { SpooledFile } from './spooled-file.ts';

/** One request to a route, validated. */
export interface RouteRequest<Headers, Params, Body, Query = unknown> {
  readonly headers: Headers;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it was sent, for its hash. */
  readonly rawBody: unknown;
  /** All headers as they were sent, by lower-case name, for whoever checks a signature. */
  readonly sentHeaders: IncomingHttpHeaders;
  readonly requestId: string;
  /** The client's address; behind trusted proxies, what they say it is. */
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
 * `has_more` and `next_cursor`. `none`: not at all. `text`: not JSON, but `text/plain`. `page`: HTML for a browser. `csv`: a file,
 * sent piece by piece, whose `data` is an async iterable of text.
 */
export type Envelope = 'object' | 'list' | 'none' | 'text' | 'page' | 'csv';

/** The `body` of a route that wants the very bytes, whatever their type: for signatures over them. */
export const bytesBody = z.instanceof(Buffer).meta({ type: 'string', format: 'binary' });

/** The `body` of a route that takes a file: it is spooled, hashed and judged by its signature before anything of it is read. */
export const fileBody = z.instanceof(SpooledFile).meta({ type: 'string' });

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
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /**
   * What a key or user must be allowed: a merchant's permission, or one of the platform's. `self`: whoever is known may, as it is
   * about themselves. Null: anybody may call it. A route without this word does not start.
   */
  readonly permission: MerchantPermission | PlatformPermission | 'self' | null;
  readonly envelope: Envelope;
  readonly headers: Headers;
  readonly params: Params;
  /** Parameters behind the question mark, each at most once; none unless declared. */
  readonly query?: Query;
  readonly body: Body;
  readonly responses: Readonly<Record<number, DeclaredResponse>>;
  readonly problems: readonly ProblemCode[];
  /** Whether it is served to whom this process knew before, while the database is away; only where the answer needs none. */
  readonly servesInOutage?: boolean;
}

/** A declaration with what serves it. */
export interface Route extends RouteDeclaration<z.ZodObject, z.ZodObject, z.ZodType | undefined, z.ZodObject> {
  /** `who` is there exactly when the route has a permission, and of the kind that may have it. */
  serve(deps: ApiDeps, request: RouteRequest<unknown, unknown, unknown>, who: Principal | null): Promise<RouteAnswer>;
  /** What to answer instead, doing nothing, while the database is away; `unavailable` where a route has no better word. */
  refusal?(request: RouteRequest<unknown, unknown, unknown>, who: Principal | null, outage: unknown): Problem;
}

type RequestOf<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject,
> = RouteRequest<z.infer<Headers>, z.infer<Params>, Body extends z.ZodType ? z.infer<Body> : undefined, z.infer<Query>>;

/** Declares a route that a merchant's key or user calls. `refusal` is its word for requests while the database is away. */
export function merchantRoute<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject = typeof noQuery,
>(
  declaration: RouteDeclaration<Headers, Params, Body, Query> & { permission: MerchantPermission },
  handler: (deps: ApiDeps, request: RequestOf<Headers, Params, Body, Query>, caller: Caller) => Promise<RouteAnswer>,
  refusal?: (request: RequestOf<Headers, Params, Body, Query>, caller: Caller, outage: unknown) => Problem,
): Route {
  const merchant = (who: Principal | null): Caller => {
    if (who?.kind !== 'merchant') throw new Error(`${declaration.operationId} was served without a merchant`);
    return who;
  };
  return {
    ...declaration,
    serve: (deps, request, who) => handler(deps, request as Parameters<typeof handler>[1], merchant(who)),
    ...(refusal && {
      refusal: (request, who, outage) => refusal(request as Parameters<typeof refusal>[0], merchant(who), outage),
    }),
  };
}

/** Declares a route for those who act for the platform: what it serves may belong to any merchant, in either mode. */
export function platformRoute<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject = typeof noQuery,
>(
  declaration: RouteDeclaration<Headers, Params, Body, Query> & { permission: PlatformPermission },
  handler: (
    deps: ApiDeps,
    request: RequestOf<Headers, Params, Body, Query>,
    operator: Operator,
  ) => Promise<RouteAnswer>,
): Route {
  return {
    ...declaration,
    serve(deps, request, who) {
      if (who?.kind !== 'platform') throw new Error(`${declaration.operationId} was served without an operator`);
      return handler(deps, request as Parameters<typeof handler>[1], who);
    },
  };
}

/** Declares a route about whoever calls it. */
export function selfRoute<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
  Query extends z.ZodObject = typeof noQuery,
>(
  declaration: RouteDeclaration<Headers, Params, Body, Query> & { permission: 'self' },
  handler: (deps: ApiDeps, request: RequestOf<Headers, Params, Body, Query>, who: Principal) => Promise<RouteAnswer>,
): Route {
  return {
    ...declaration,
    serve(deps, request, who) {
      if (who === null) throw new Error(`${declaration.operationId} was served to nobody`);
      return handler(deps, request as Parameters<typeof handler>[1], who);
    },
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
