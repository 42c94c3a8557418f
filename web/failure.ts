/** What a person is told when something does not work: code, cause, fix. */

export interface Failure { readonly code: string; readonly text: string; readonly fix: string }

/** Raised by the page itself. W01 no WebGPU · W02 the compiled files cannot be read · W03 no weights chosen · W04 wrong field */
export class PageError extends Error {
  constructor(readonly code: string, message: string, readonly fix: string) {
    super(`${code} ${message}\n  fix: ${fix}`);
    this.name = 'PageError';
  }
}

/** Errors with a code and a fix are meant for people, whatever part raised them; all others are faults of the program. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof Error && 'code' in error && 'fix' in error && typeof error.code === 'string' && typeof error.fix === 'string') {
    const text = error.message.replace(`${error.code} `, '').replace(`\n  fix: ${error.fix}`, '');
    return { code: error.code, text, fix: error.fix };
  }
  return {
    code: 'internal error', text: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    fix: 'this is a fault in firn, not in your input: please report it with the browser, the spec and the text above',
  };
}
