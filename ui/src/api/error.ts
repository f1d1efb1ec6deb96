// What goes wrong between the page and the recorder, in one shape whatever carried it.

import type { ErrorCode, ReasonCode } from './types';

/** Codes of the recorder, and two of our own: it could not be reached, or the caller gave up. */
export type ApiErrorCode = ErrorCode | 'unreachable' | 'cancelled';

/** An operation that was not done. `message` is a sentence for a person. */
export class ApiError extends Error {
  readonly code: ApiErrorCode;
  readonly detail: unknown;

  constructor(code: ApiErrorCode, message: string, detail?: unknown) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.detail = detail;
  }

  /** `detail.reason`: why a camera could not be reached. */
  get reason(): ReasonCode | undefined {
    const detail = this.detail;
    if (typeof detail === 'object' && detail !== null && 'reason' in detail && typeof detail.reason === 'string') {
      return detail.reason as ReasonCode;
    }
    return undefined;
  }
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'unauthenticated',
  'permission_denied',
  'not_found',
  'invalid_argument',
  'conflict',
  'precondition_failed',
  'unavailable',
  'camera_unreachable',
  'storage_unavailable',
  'internal',
]);

function isCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && CODES.has(code);
}

/** Reads `{code, message, detail}`, or undefined when it is not that. */
export function readError(value: unknown): ApiError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, detail } = value as { code?: unknown; message?: unknown; detail?: unknown };
  if (!isCode(code) || typeof message !== 'string') return undefined;
  return new ApiError(code, message, detail ?? undefined);
}

/** Whatever was thrown, as an ApiError. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof DOMException && thrown.name === 'AbortError') {
    return new ApiError('cancelled', 'Cancelled.');
  }
  return readError(thrown) ?? new ApiError('internal', thrown instanceof Error ? thrown.message : String(thrown));
}

/** Why an answer over HTTP is a refusal. */
export async function refusalOf(response: Response): Promise<ApiError> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    body = undefined;
  }
  const error = typeof body === 'object' && body !== null && 'error' in body ? readError(body.error) : undefined;
  return error ?? new ApiError(response.status === 401 ? 'unauthenticated' : 'internal', `The recorder answered ${response.status}.`);
}
