import { isGrpcServiceError } from '@temporalio/client';

/**
 * The gRPC status code of an error that the Temporal SDK threw, or null when it has none. The SDK passes some gRPC errors on
 * as they are and wraps others once.
 */
export function grpcCodeOf(error: unknown): number | null {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause.code : null;
}

/** gRPC's INVALID_ARGUMENT: the request itself is wrong, however often it is sent. */
export const invalidArgument = 3;
