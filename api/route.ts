import type { z } from 'zod';
import type { MerchantSettings } from '../prisma/merchant-settings.ts';
import type { MerchantScope } from '../prisma/payments.ts';
import type { ApiDeps } from './deps.ts';
import type { Problem, ProblemCode } from './errors.ts';

/** What a key may allow. */
export const permissions = {
  'payments:read': 'read payments',
  'payments:write': 'create payments',
} as const;

export type Permission = keyof typeof permissions;

/** Who calls, as the key says. */
export interface Caller extends MerchantScope {
  readonly keyId: string;
  readonly permissions: readonly string[];
  readonly settings: MerchantSettings;
}

/** One request to a route, validated. */
export interface RouteRequest<Headers, Params, Body> {
  readonly headers: Headers;
  readonly params: Params;
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
}

/** What a route answers when all is well. */
export interface DeclaredResponse {
  readonly description: string;
  readonly schema: z.ZodType;
}

/** Everything that is said once about a route: it validates, types the handler, names its permission and is documented. */
export interface RouteDeclaration<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
> {
  readonly operationId: string;
  readonly method: 'get' | 'post';
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** Null: anybody may call it. */
  readonly permission: Permission | null;
  /** Whether the answer is wrapped as `{ data, request_id, timestamp }`. */
  readonly hasEnvelope: boolean;
  readonly headers: Headers;
  readonly params: Params;
  readonly body: Body;
  readonly responses: Readonly<Record<number, DeclaredResponse>>;
  readonly problems: readonly ProblemCode[];
}

/** A declaration with what serves it. */
export interface Route extends RouteDeclaration<z.ZodObject, z.ZodObject, z.ZodType | undefined> {
  /** `caller` is there exactly when the route has a permission. */
  serve(deps: ApiDeps, request: RouteRequest<unknown, unknown, unknown>, caller: Caller | null): Promise<RouteAnswer>;
  /** What to answer instead, doing nothing, while the database is away; `unavailable` where a route has no better word. */
  refusal?(request: RouteRequest<unknown, unknown, unknown>, caller: Caller | null, outage: unknown): Problem;
}

type Handler<Headers extends z.ZodObject, Params extends z.ZodObject, Body extends z.ZodType | undefined, Who> = (
  deps: ApiDeps,
  request: RouteRequest<z.infer<Headers>, z.infer<Params>, Body extends z.ZodType ? z.infer<Body> : undefined>,
  caller: Who,
) => Promise<RouteAnswer>;

type Refusal<Headers extends z.ZodObject, Params extends z.ZodObject, Body extends z.ZodType | undefined> = (
  request: RouteRequest<z.infer<Headers>, z.infer<Params>, Body extends z.ZodType ? z.infer<Body> : undefined>,
  caller: Caller,
  outage: unknown,
) => Problem;

/** Declares a route that needs a merchant's key. `refusal` is its word for requests while the database is away. */
export function merchantRoute<
  Headers extends z.ZodObject,
  Params extends z.ZodObject,
  Body extends z.ZodType | undefined,
>(
  declaration: RouteDeclaration<Headers, Params, Body> & { permission: Permission },
  handler: Handler<Headers, Params, Body, Caller>,
  refusal?: Refusal<Headers, Params, Body>,
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
>(
  declaration: RouteDeclaration<Headers, Params, Body> & { permission: null },
  handler: Handler<Headers, Params, Body, null>,
): Route {
  return {
    ...declaration,
    serve: (deps, request) => handler(deps, request as Parameters<typeof handler>[1], null),
  };
}
