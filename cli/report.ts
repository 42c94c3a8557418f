import { hasErrors, renderDiagnostic, type Diagnostic } from '../dsl/diagnostics.js';
import type { SourceFile } from '../dsl/span.js';
import { Reported } from './failure.js';
import { color } from './terminal.js';

/** Prints diagnostics on stderr. Throws Reported if one is an error. */
export function report(diagnostics: readonly Diagnostic[], sources: readonly SourceFile[]): void {
  for (const d of diagnostics) {
    const [head, ...frame] = renderDiagnostic(d, sources).split('\n');
    process.stderr.write(`${[color(d.severity === 'error' ? 'red' : 'yellow', head), ...frame].join('\n')}\n\n`);
  }
  if (!hasErrors(diagnostics)) return;
  const errors = diagnostics.filter((d) => d.severity === 'error').length;
  process.stderr.write(`${errors} ${errors === 1 ? 'error' : 'errors'}\n`);
  throw new Reported();
}
