import { hasErrors, renderDiagnostic, type Diagnostic } from '../dsl/diagnostics.js';
import type { SourceFile } from '../dsl/span.js';
import { Reported } from './failure.js';
import { color, printable } from './terminal.js';

/** Prints diagnostics on stderr; false if one is an error. */
export function reported(diagnostics: readonly Diagnostic[], sources: readonly SourceFile[]): boolean {
  for (const d of diagnostics) {
    const [head, ...frame] = printable(renderDiagnostic(d, sources)).split('\n');
    process.stderr.write(`${[color(d.severity === 'error' ? 'red' : 'yellow', head), ...frame].join('\n')}\n\n`);
  }
  if (!hasErrors(diagnostics)) return true;
  const errors = diagnostics.filter((d) => d.severity === 'error').length;
  process.stderr.write(`${errors} ${errors === 1 ? 'error' : 'errors'}\n`);
  return false;
}

/** Prints diagnostics on stderr. Throws Reported if one is an error. */
export function report(diagnostics: readonly Diagnostic[], sources: readonly SourceFile[]): void {
  if (!reported(diagnostics, sources)) throw new Reported();
}
