// The one door to the recorder: `call(operation, input)`, typed by the OpenAPI document.

import { ApiError, asApiError } from './error';
import type { OperationName } from './routes';
import type { operations } from './schema';

type Given<T> = T extends undefined | null ? unknown : T;
type Parameters<O extends OperationName> = operations[O]['parameters'];
type Part<O extends OperationName, K extends 'path' | 'query'> = Given<Exclude<Parameters<O>[K], undefined>>;
type Body<O extends OperationName> = operations[O] extends { requestBody?: { content: { 'application/json': infer B } } }
  ? B
  : unknown;

/** Fields an operation takes. */
export type Input<O extends OperationName> = [Part<O, 'path'>] extends [never]
  ? ([Part<O, 'query'>] extends [never] ? Body<O> : Part<O, 'query'> & Body<O>)
  : [Part<O, 'query'>] extends [never]
    ? Part<O, 'path'> & Body<O>
    : Part<O, 'path'> & Part<O, 'query'> & Body<O>;

/** What an operation answers. */
export type Output<O extends OperationName> = operations[O]['responses'][200]['content']['application/json'];

/** Carries operations to the recorder. Throws ApiError. */
export interface Transport {
  call(op: OperationName, input: Record<string, unknown>, signal?: AbortSignal): Promise<unknown>;
}

let transport: Transport | undefined;

/** Set once at start by the shell. */
export function useTransport(t: Transport): void {
  transport = t;
}

/**
 * Runs an operation. Throws ApiError, nothing else. A signal ends the waiting, with the code
 * `cancelled`; the recorder may still finish what it began.
 */
export async function call<O extends OperationName>(
  op: O,
  ...[input, signal]: unknown extends Input<O> ? [input?: Record<string, never>, signal?: AbortSignal] : [input: Input<O>, signal?: AbortSignal]
): Promise<Output<O>> {
  if (transport === undefined) throw new ApiError('unavailable', 'The page is not connected to a recorder yet.');
  try {
    return (await transport.call(op, input ?? {}, signal)) as Output<O>;
  } catch (thrown) {
    throw asApiError(thrown);
  }
}
