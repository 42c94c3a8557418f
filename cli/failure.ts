/**
 * What ends a command: 1 for what the user gave, 2 for how it was called, 70 for what is the program's own fault. Never
 * a stack trace for the first two.
 */
import { describeErrno } from '../dsl/text-node.js';
import { color, printable } from './terminal.js';

/** Wrong input that no other part of the program has an error for. */
export class CommandError extends Error {
  constructor(readonly code: string, message: string, readonly fix: string) {
    super(message);
    this.name = 'CommandError';
  }
}

/** The command was called wrongly in a way that the option parser cannot see. */
export class UsageError extends Error {}

/** Diagnostics were printed already; only the exit code is left. */
export class Reported extends Error {}

interface Coded { readonly code: string; readonly fix: string; readonly message: string }

/** Errors with a code and a fix are meant for the user, whatever part raised them. */
function isCoded(error: unknown): error is Error & Coded {
  return error instanceof Error && 'code' in error && 'fix' in error && typeof error.code === 'string' && typeof error.fix === 'string';
}

/** Prints the error on stderr and returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof Reported) return 1;
  if (error instanceof UsageError) {
    process.stderr.write(`error: ${error.message}\n`);
    return 2;
  }
  if (isCoded(error)) {
    // Such messages begin with their code and end with their fix; here both have their own place.
    const text = error.message.replace(`${error.code} `, '').replace(`\n  fix: ${error.fix}`, '');
    process.stderr.write(`${color('red', `error[${error.code}]`)}: ${printable(text)}\n  = fix: ${printable(error.fix)}\n`);
    return 1;
  }
  const system = error as NodeJS.ErrnoException;
  if (error instanceof Error && typeof system.syscall === 'string') {
    process.stderr.write(`${color('red', 'error[C01]')}: ${system.path ?? system.syscall}: ${describeErrno(system.code)}\n  = fix: check the path and its permissions\n`);
    return 1;
  }
  if (error instanceof RangeError && /allocation failed/.test(error.message)) {
    process.stderr.write(`${color('red', 'error[C04]')}: this machine has not enough memory\n  = fix: a smaller model, a shorter --context or a smaller --chunk\n`);
    return 1;
  }
  process.stderr.write(`${color('red', 'internal error')}: this is a fault in firn, not in your input\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.stderr.write('  = note: please report it with the command line, the spec and the text above\n');
  return 70;
}
