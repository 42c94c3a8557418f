/**
 * The whole compiler on one screen.
 *
 *   spec text --load--> AST --elaborate--> Graph --passes--> Graph --schedule--> Kernels --plan--> Plan, verified
 *
 * Pure: no device, no file system (modules come through `load`). Mistakes of the user are diagnostics; what it throws is
 * a bug. Same request, same bytes out.
 */
import { loadProgram, type ModuleLoader } from '../dsl/modules.js';
import { FirnError, hasErrors, type Diagnostic } from '../dsl/diagnostics.js';
import { tooLargeToBind } from '../dsl/schedule-messages.js';
import { contextTooLong } from '../dsl/section-messages.js';
import type { SourceFile } from '../dsl/span.js';
import { elaborate, type ElaborateOptions } from './check/elaborate.js';
import { countParameters, type ModelInfo } from './check/model-info.js';
import { entryDims, planSizes, type SizeRequest } from './entry-dims.js';
import type { DType } from './ir/dtype.js';
import type { Module } from './ir/graph.js';
import type { Mesh } from './ir/mesh.js';
import type { Bundle } from './ir/plan.js';
import type { WeightSources } from './ir/weight-sources.js';
import { scheduleFor, type Target } from './kernels/targets.js';
import { storedDTypes } from './model/stored-dtypes.js';
import { weightRules } from './model/weight-rules.js';
import { alignmentFor } from './model/block-alignment.js';
import { resolveWeightSources } from './model/weight-sources.js';
import { choosePackings } from './passes/choose-packings.js';
import type { PinnedInput } from './passes/pin.js';
import { reassociate } from './passes/reassociate.js';
import { sample } from './passes/sample.js';
import { schedule } from './passes/schedule.js';
import { shard } from './passes/shard.js';
import { simplify } from './passes/simplify.js';
import { pinTaps, tapsToBuild } from './pinned-taps.js';
import type { EntryLaunches } from './plan/launches.js';
import { LimitError } from './plan/buffer-layout.js';
import { buildPlan } from './plan/plan.js';
import { printViolations, verifyPlan } from './plan/verify-plan.js';

export interface CompileRequest extends SizeRequest {
  readonly entry: SourceFile;
  readonly load: ModuleLoader;
  readonly target: Target;
  /** The model of the file; its last one if not given. */
  readonly model?: string;
  readonly overrides?: ElaborateOptions['overrides'];
  readonly precision?: 'f32' | 'bf16';
  /** Which exports become outputs; a name with `?` behind may be missing. */
  readonly taps?: boolean | readonly string[];
  /** Public names of taps whose ids come from the caller: see passes/pin.ts. */
  readonly pins?: readonly string[];
  /** Dtype of a tensor of the checkpoint that will be loaded; undefined if there is none of that name. */
  readonly stored?: (name: string) => DType | undefined;
  /** Called with every representation as it is made. */
  readonly onPhase?: (phase: Phase, value: Module | readonly EntryLaunches[] | Bundle) => void;
}
export const phases = ['graph', 'passes', 'kernels', 'plan'] as const;
export type Phase = (typeof phases)[number];

export interface Checked {
  /** Absent if there were errors. */
  readonly module?: Module;
  readonly info?: ModelInfo;
  /** Where each weight is in a checkpoint; absent if the spec has no `weights` section. */
  readonly sources?: WeightSources;
  readonly parameters?: number;
  readonly diagnostics: readonly Diagnostic[];
  /** Every file that was read, for code frames. */
  readonly files: readonly SourceFile[];
}
/** `bundle` is absent if there were errors. */
export interface Compiled extends Checked {
  readonly bundle?: Bundle;
  /** Inputs of the plan besides the usual ones, if `pins` were asked for. */
  readonly pinned?: readonly PinnedInput[];
}

/** The front half: what `firn check` and `firn stats` need. */
export function checkSpec(request: Pick<CompileRequest, 'entry' | 'load' | 'model' | 'overrides' | 'precision' | 'taps' | 'stored'>): Checked {
  const loaded = loadProgram(request.entry, request.load);
  const { sources: files, diagnostics: syntax } = loaded;
  if (hasErrors(syntax)) return { diagnostics: syntax, files };
  const { module, info, diagnostics } = elaborate(loaded, {
    model: request.model, overrides: request.overrides, taps: request.taps, block: planSizes.block,
    ...(request.precision ? { precision: { activations: request.precision, cache: request.precision } } : {}),
    ...(request.stored ? { storage: storedDTypes(weightRules(loaded), request.stored) } : {}),
  });
  if (!module || !info) return { diagnostics: [...syntax, ...diagnostics], files };
  const mapped = info.weights ? resolveWeightSources(module, info.weights.rules, info.weights.span, info.absentHeads) : undefined;
  return {
    module, info, files, parameters: countParameters(module),
    ...(mapped ? { sources: mapped.sources } : {}), diagnostics: [...syntax, ...diagnostics, ...(mapped?.diagnostics ?? [])],
  };
}

export function compile(request: CompileRequest): Compiled {
  const checked = checkSpec({ ...request, taps: tapsToBuild(request) });
  const { module, info } = checked;
  if (!module || !info || hasErrors(checked.diagnostics)) return checked;
  if (request.context !== undefined && request.context > info.context) {
    return { ...checked, diagnostics: [...checked.diagnostics, contextTooLong(request.context, info.context, info.contextSpan)] };
  }
  try {
    return { ...checked, ...lower(module, info, request, checked.sources) };
  } catch (error) {
    return { ...checked, diagnostics: [...checked.diagnostics, ...refusal(error, info, request)] };
  }
}

/** The back half: graph to verified plan. */
function lower(elaborated: Module, info: ModelInfo, request: CompileRequest, sources: WeightSources | undefined): { module: Module; bundle: Bundle; pinned: readonly PinnedInput[] } {
  const seen = request.onPhase ?? (() => undefined);
  const { module: graph, pinned } = pinTaps(elaborated, request);
  seen('graph', graph);
  const module = passes(graph, info, request.mesh);
  seen('passes', module);
  const entries = scheduleEntries(module, info, request, sources);
  seen('kernels', entries);
  const bundle = buildPlan(module, entries, planSizes.options(info, request, module.states));
  const violations = verifyPlan(bundle, { digests: false });
  if (violations.length > 0) throw new Error(`plan: the verifier rejects what the planner made\n${printViolations(violations)}`);
  seen('plan', bundle);
  return { module, bundle, pinned };
}

/** A module after its passes as launches of tile programs, entry by entry. `sources`: where its weights are stored, if the spec says so. */
export function scheduleEntries(module: Module, info: ModelInfo, request: SizeRequest, sources?: WeightSources): EntryLaunches[] {
  const { mesh, target, fuse } = request;
  const { panel, int4 } = scheduleFor(target, true);
  const packings = choosePackings(module, panel, int4, alignmentFor(sources));
  return entryDims(info, request).map(({ name, few, dims }) => schedule(module, { name, dims, schedule: scheduleFor(target, few, fuse), packings, ...(mesh ? { mesh } : {}) }));
}

/** What the spec asks for and the target cannot do, as diagnostics; anything else is a bug and goes on up. */
function refusal(error: unknown, info: ModelInfo, request: CompileRequest): readonly Diagnostic[] {
  if (error instanceof FirnError) return error.diagnostics;
  if (error instanceof LimitError) return [tooLargeToBind(error.what, error.bytes, error.limit, request.target, info.span)];
  throw error;
}

/** Graph to graph, in order. */
export function passes(graph: Module, info: ModelInfo, mesh: Mesh = {}): Module {
  let module = simplify(graph, { inference: true });
  module = sample(module);
  module = shard(module, { mesh, spanOf: (group) => info.mesh?.spans.get(group) ?? info.mesh?.span ?? info.span });
  module = reassociate(module, { tokens: 1, context: info.context, force: 'move' });
  return simplify(module, { inference: true });
}
