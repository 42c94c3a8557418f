/**
 * Variants of a model, counted and modelled side by side. Pure: texts in, numbers out; a page may call it on every
 * keystroke.
 *
 *   parse once -> per variant: rewrite the body -> elaborate -> passes -> schedule (target `null`) -> count, model
 *
 * Nothing is planned: bytes, operations and launches are those of the scheduled kernels already.
 */
import { passes, scheduleEntries } from '../compile.js';
import { elaborate } from '../check/elaborate.js';
import type { ModelInfo } from '../check/model-info.js';
import { hasErrors, type Diagnostic } from '../../dsl/diagnostics.js';
import { loadProgram, type ModuleLoader, type Program } from '../../dsl/modules.js';
import type { SourceFile } from '../../dsl/span.js';
import { planSizes, type SizeRequest } from '../entry-dims.js';
import type { Module } from '../ir/graph.js';
import { type Budget, meets, type Measure, type Measures, paretoFront } from './measures.js';
import { type DeviceFigures, modelRun, type ModelledRun } from './roofline.js';
import { moduleStats } from './stats.js';
import { bodyWith, combinations, type Choice, type Variation } from './variation.js';

export interface ExploreRequest {
  readonly entry: SourceFile;
  readonly load: ModuleLoader;
  /** The model of the file; its last one if not given. */
  readonly model?: string;
  /** What varies; none: the model alone. */
  readonly vary: readonly Variation[];
  readonly device: DeviceFigures;
  /** Tokens in each sequence's cache; 8192, or the model's own context if that is shorter. */
  readonly context?: number;
  /** Sequences of a decode step; 1 if not given. */
  readonly batch?: number;
  readonly budgets?: readonly Budget[];
  /** What the Pareto front is about; parameters and decode if not given. */
  readonly objectives?: readonly Measure[];
  readonly precision?: 'f32' | 'bf16';
  /** Called after each variant. */
  readonly onVariant?: (done: number, total: number) => void;
}

export interface Variant {
  /** Value per variation, as it was written. */
  readonly values: readonly string[];
  /** Absent if the variant is no valid model; then `diagnostics` say why. */
  readonly measures?: Measures;
  readonly diagnostics: readonly Diagnostic[];
  /** Whether every budget is met. */
  readonly within: boolean;
  /** On the Pareto front of those within budget. */
  readonly front: boolean;
}

export interface Exploration {
  readonly model: string;
  /** Full paths of what varies, in the order asked. */
  readonly paths: readonly string[];
  readonly device: DeviceFigures;
  readonly context: number;
  readonly batch: number;
  readonly objectives: readonly Measure[];
  readonly budgets: readonly Budget[];
  readonly variants: readonly Variant[];
}

/** `exploration` is absent if the spec itself or what is asked for is wrong. */
export function explore(request: ExploreRequest): { readonly exploration?: Exploration; readonly diagnostics: readonly Diagnostic[]; readonly files: readonly SourceFile[] } {
  const program = loadProgram(request.entry, request.load);
  const diagnostics = [...program.diagnostics];
  const files = program.sources;
  if (hasErrors(diagnostics)) return { diagnostics, files };
  const asked = combinations(program, request.model, request.vary, diagnostics);
  // Without a valid model there is nothing to vary.
  const base = elaborate(program, { model: request.model, block: planSizes.block });
  if (asked === undefined || base.info === undefined) return { diagnostics: [...diagnostics, ...base.diagnostics], files };
  const context = request.context ?? Math.min(8192, base.info.context);
  const batch = request.batch ?? 1;
  const objectives = request.objectives ?? ['parameters', 'decode'];
  const measured = asked.choices.map((choice, i) => {
    const variant = measure(program, choice, request, context, batch);
    request.onVariant?.(i + 1, asked.choices.length);
    return variant;
  });
  const variants = judge(measured, request.budgets ?? [], objectives);
  return { exploration: { model: base.info.name, paths: asked.paths, device: request.device, context, batch, objectives, budgets: request.budgets ?? [], variants }, diagnostics, files };
}

type Measured = Pick<Variant, 'values' | 'measures' | 'diagnostics'>;

function judge(all: readonly Measured[], budgets: readonly Budget[], objectives: readonly Measure[]): Variant[] {
  const within = all.map((v) => v.measures !== undefined && budgets.every((b) => meets(b, v.measures!)));
  const candidates = all.flatMap((v, i) => (within[i] ? [v.measures!] : []));
  const front = paretoFront(candidates, objectives);
  return all.map((v, i) => ({ ...v, within: within[i], front: within[i] && front[candidates.indexOf(v.measures!)] }));
}

function measure(program: Program, choice: Choice, request: ExploreRequest, context: number, batch: number): Measured {
  const { module, info, diagnostics } = elaborate(program, {
    model: request.model, block: planSizes.block, rewrite: bodyWith(program, choice),
    ...(request.precision ? { precision: { activations: request.precision, cache: request.precision } } : {}),
  });
  if (!module || !info) return { values: choice.texts, diagnostics };
  return { values: choice.texts, diagnostics, measures: measuresOf(module, info, request.device, context, batch) };
}

/** Tokens of one prefill run; longer prompts take several. */
const chunk = 4096;

/** What a module costs on a device. `context`: tokens in each cache; `batch`: sequences of a decode step. */
export function measuresOf(module: Module, info: ModelInfo, device: DeviceFigures, context: number, batch: number): Measures {
  const stats = moduleStats(module);
  const lowered = passes(module, info);
  const sized = { ...info, context: Math.max(info.context, context) };
  const sizes: SizeRequest = { target: 'null', context, sequences: batch, maxTokens: Math.min(chunk, context) };
  const entries = scheduleEntries(lowered, sized, sizes);
  const { fixed } = planSizes.options(sized, sizes, lowered.states);
  const dtype = info.precision.activations === 'f32' ? 'f32' : 'bf16';
  const run = (name: 'decode' | 'prefill', tokens: number, sequences: number, keys: number): ModelledRun => modelRun(
    entries.find((e) => e.name === name)!.steps, { ...fixed, tokens, sequences, outputs: sequences, blocks: Math.ceil(context / planSizes.block), context: keys }, device, dtype,
  );
  const decode = run('decode', batch, batch, context);
  let prefill = 0;
  for (let start = 0; start < context; start += chunk) {
    const tokens = Math.min(chunk, context - start);
    // A query sees the keys before it: half of its own run on average.
    prefill += run('prefill', tokens, 1, start + Math.ceil(tokens / 2)).seconds;
  }
  const kv = batch * (context * stats.cacheBytesPerToken + stats.stateBytesPerSequence);
  return {
    parameters: stats.parameters, active: stats.activeParameters, weights: stats.weightBytes, flops: decode.flops / batch, kv_token: stats.cacheBytesPerToken, kv,
    launches: decode.launches, decode: decode.seconds, prefill, devices: Math.ceil((stats.weightBytes + kv) / device.memory),
  };
}
