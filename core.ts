/**
 * What needs no Node: checking, compiling, counting, comparing. A page imports it as `firn/core`, with a loader that holds
 * the standard library's texts (`memoryLoader`).
 */
import { compileRules, requireOptions } from './arguments.js';
import { checkSpec as check, compile as compileRequest, type Checked, type Compiled, type CompileRequest } from './compiler/compile.js';

export type { Checked, Compiled, CompileRequest } from './compiler/compile.js';
export { explore, measuresOf, type Exploration, type ExploreRequest, type Variant } from './compiler/model/explore.js';
export { measures, parseBudget, paretoFront, type Budget, type Measure, type Measures } from './compiler/model/measures.js';
export { knownDevices, modelRun, type DeviceFigures } from './compiler/model/roofline.js';
export { diffModels, type Difference, type DiffRequest, type ModelDiff } from './compiler/model/diff.js';
export { shrink, type ShrinkRequest, type Shrunk } from './compiler/model/shrink.js';
export { moduleStats, type Stats } from './compiler/model/stats.js';
export { importHf } from './compiler/import/hf.js';
export { explain, printExplanation, type Explanation } from './compiler/plan/explain.js';
export { printViolations, verifyPlan, type Violation } from './compiler/plan/verify-plan.js';
export { FirnError, hasErrors, renderDiagnostic, type Diagnostic } from './dsl/diagnostics.js';
export { memoryLoader, type ModuleLoader } from './dsl/modules.js';
export type { SourceFile, Span } from './dsl/span.js';
export type { Bundle, Entry, Plan, Port } from './compiler/ir/plan.js';

/** Errors and warnings, parameters, and where weights are stored. */
export function checkSpec(request: Parameters<typeof check>[0]): Checked {
  const { entry, load, model } = compileRules;
  requireOptions('checkSpec', 'request', request, { entry, load, model });
  return check(request);
}

/** From a spec to a verified plan with its kernels; what is wrong with the spec is in `diagnostics`, and `bundle` is then absent. */
export function compile(request: CompileRequest): Compiled {
  requireOptions('compile', 'request', request, compileRules);
  return compileRequest(request);
}
