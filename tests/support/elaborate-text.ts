/** A spec in a string, to its module or its diagnostics. */
import { elaborate, type ElaborateOptions, type Elaborated } from '../../compiler/check/elaborate.js';
import { renderDiagnostic, type Diagnostic } from '../../dsl/diagnostics.js';
import type { Module } from '../../compiler/ir/graph.js';
import { loadText } from './load-program.js';

export interface ElaboratedText extends Elaborated { readonly rendered: string }

export function elaborateText(text: string, options: ElaborateOptions = {}): ElaboratedText {
  const program = loadText(text);
  const result = elaborate(program, options);
  const diagnostics: readonly Diagnostic[] = [...program.diagnostics, ...result.diagnostics];
  return { ...result, diagnostics, rendered: diagnostics.map((d) => renderDiagnostic(d, program.sources)).join('\n\n') };
}

export function moduleOf(text: string, options: ElaborateOptions = {}): Module {
  const { module, rendered } = elaborateText(text, options);
  if (module === undefined || rendered !== '') throw new Error(rendered);
  return module;
}
