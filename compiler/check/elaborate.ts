/**
 * AST -> Module: names, dims, axes, instances, repeats, states and precision of one model are settled here.
 *
 *   collect sections -> read the body (statements.ts) -> outputs -> check selectors -> compact the tables
 */
import type { Model, Statement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { Program } from '../../dsl/modules.js';
import { addDims, symbol } from '../ir/dim.js';
import { type DType } from '../ir/dtype.js';
import type { Axis, Module, Storage } from '../ir/graph.js';
import { AxisTable } from './axis.js';
import { compactTables } from './compact-tables.js';
import { requireTensor, tensorAxes } from './contract.js';
import { exportTensor } from './export.js';
import { FileScopes } from './file-scopes.js';
import { Abandoned, attempt, building, fail, failed, tensor, type Elaboration, type Frame, type Instance, type Precision } from './frame.js';
import { GraphScope } from './graph-scope.js';
import { selectModel, type ChosenModel, type OverrideValue } from './model.js';
import type { ModelInfo } from './model-info.js';
import { finishQuantize, readQuantize } from './quantize-rules.js';
import { Scope } from './scope.js';
import { settleForeignReads } from './foreign-states.js';
import { collectSections, readContext, readMesh, readPrecision, readStop, readTrain, type Sections } from './sections.js';
import { execute } from './statements.js';
import { readTaps, type Taps } from './taps.js';
import type { TensorValue } from './value.js';

export interface ElaborateOptions {
  /** The model of the file; its last one if not given. */
  readonly model?: string;
  /** Replace dims, consts, tables or defs of that name. */
  readonly overrides?: Readonly<Record<string, OverrideValue>>;
  /** Changes the model's body before it is read. */
  readonly rewrite?: (model: ChosenModel) => readonly Statement[];
  /** Which exports become outputs: all, none, or those whose public name (or its first part) is listed. */
  readonly taps?: boolean | readonly string[];
  /** Instead of what the spec declares. */
  readonly precision?: Partial<Precision>;
  /** What a checkpoint stores for a parameter's path; undefined where it is not known. */
  readonly storage?: (path: string) => Storage | undefined;
  /** Entries of a cache block; 16 if not given. */
  readonly block?: number;
}

export interface Elaborated {
  /** Absent if there were errors. */
  readonly module?: Module;
  readonly info?: ModelInfo;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Elaborates one model of a program. Mistakes of the spec are diagnostics (those of `program.diagnostics` are not repeated);
 * it throws for internal errors only.
 */
export function elaborate(program: Program, options: ElaborateOptions = {}): Elaborated {
  const diagnostics: Diagnostic[] = [];
  const chosen = selectModel(program, options.model, options.overrides ?? {}, diagnostics);
  if (chosen === undefined) return { diagnostics };
  const model = options.rewrite === undefined ? chosen : { ...chosen, body: options.rewrite(chosen) };
  const { run, sections, taps } = prepare(program, model, options, diagnostics);
  const frame = modelFrame(run, program, model);
  execute(frame, model.body);
  const outputs = attempt(run, () => readOutputs(frame, model.model, sections, taps));
  const info = attempt(run, () => readInfo(frame, model, sections));
  if (!failed(run)) taps.check(run, run.exported, model.model.name.span);
  const quantize = failed(run) ? [] : finishQuantize(run, run.quantize, run.params.flatMap((p) => p.paths));
  if (outputs === undefined || info === undefined || failed(run)) return { diagnostics };
  const graph = settleForeignReads(frame.graph.builder.finish(outputs.outputs), run);
  return { module: compactTables({ graph, params: run.params, states: run.states, taps: outputs.taps }), info: { ...info, quantize }, diagnostics };
}

function prepare(program: Program, model: ChosenModel, options: ElaborateOptions, diagnostics: Diagnostic[]): { run: Elaboration; sections: Sections; taps: Taps } {
  const base = {
    diagnostics, library: program.library, axes: new AxisTable(), params: [], states: [], moved: new Map(), block: options.block ?? 16, storage: options.storage,
    exported: new Set<string>(), inputs: new Map<string, TensorValue>(), quantize: [], wanted: () => false, decisions: [], absentHeads: [],
    precision: { weights: 'f32', activations: 'f32', cache: 'f32' },
  } satisfies Elaboration;
  const sections = collectSections(base, model.body);
  const taps = readTaps(sections.weights, options.taps ?? false);
  const declared = readPrecision(base, sections.precision);
  const given = Object.fromEntries(Object.entries(options.precision ?? {}).filter(([, v]) => v !== undefined));
  const run: Elaboration = { ...base, precision: { ...declared, ...given }, quantize: readQuantize(base, sections.quantize), wanted: taps.wanted };
  return { run, sections, taps };
}

function modelFrame(run: Elaboration, program: Program, model: ChosenModel): Frame {
  const { name, span } = { name: model.model.name.name, span: model.model.name.span };
  const instance: Instance = { path: '', site: '', owner: run, iteration: false, claimed: new Map(), members: new Map(), name, span };
  const graph = new GraphScope(name, { params: run.params, states: run.states });
  const root = new Scope(undefined, 'file');
  const frame: Frame = { run, scope: root, instance, graph, depth: 0, wide: false };
  declareInputs(frame, model.model);
  for (const visible of ['tokens', 'position', 'sequence']) root.set(visible, run.inputs.get(visible)!);
  const files = new FileScopes(frame, program);
  const bottom = model.files.slice(1).reduce((outer, file) => files.over(outer, file), files.of(model.files[0]));
  return { ...frame, scope: new Scope(bottom) };
}

/** All inputs of `entryInputs`, used or not, so that every model has the same entry points. */
function declareInputs(frame: Frame, model: Model): void {
  const axis = (name: string): Axis => ({ name, size: symbol(name) });
  const starts: Axis = { name: 'starts', size: addDims(symbol('sequences'), 1) };
  const one: Axis = { name: 'one', size: 1 };
  const inputs: readonly (readonly [string, readonly Axis[], DType])[] = [
    ['tokens', [axis('tokens')], 'i32'], ['position', [axis('tokens')], 'i32'], ['sequence', [axis('tokens')], 'i32'], ['slot', [axis('tokens')], 'i32'],
    ['blocks', [axis('sequences'), axis('blocks')], 'i32'], ['starts', [starts], 'i32'], ['rows', [axis('outputs')], 'i32'],
    ['temperature', [one], 'f32'], ['seed', [one], 'u32'], ['top_k', [one], 'i32'], ['top_p', [one], 'f32'],
  ];
  for (const [name, axes, dtype] of inputs) {
    const value = frame.graph.builder.input(name, { dtype, axes });
    frame.run.inputs.set(name, { ...tensor(frame, value, model.name.span), settled: true });
  }
}

interface Outputs { readonly outputs: { readonly name: string; readonly value: TensorValue['value'] }[]; readonly taps: Module['taps'] }

/** Logits of the wanted rows, f32, then one output per tap. */
function readOutputs(frame: Frame, model: Model, sections: Sections, taps: Taps): Outputs {
  const found = frame.scope.find('logits');
  // What is missing because of another mistake is no news.
  if (found?.kind === 'error' || (found === undefined && failed(frame.run))) throw new Abandoned();
  const logits = found === undefined ? fail(messages.noLogits(model.name.name, model.name.span)) : requireTensor(frame, { value: found, span: model.name.span }, 'logits');
  const axes = tensorAxes(frame, logits);
  if (axes.length !== 2 || !axes.some((a) => a.name === 'tokens')) fail(messages.logitsAxes(axes.map((a) => a.spelling).join(', '), logits.span));
  exportNamed(frame, sections);
  const builder = building(frame, logits.span);
  const rows = builder.gather(frame.graph.use(logits), frame.graph.use(frame.run.inputs.get('rows')!), 'tokens');
  const outputs: Outputs['outputs'] = [{ name: 'logits', value: rows.type.dtype === 'f32' ? rows : builder.cast(rows, 'f32') }];
  const named: { output: string; names: readonly string[] }[] = [];
  for (const { paths, value } of frame.graph.exports) {
    const base = paths[0].replace(/\[\d+\]/g, '');
    let name = base;
    for (let i = 2; outputs.some((o) => o.name === name); i++) name = `${base}_${i}`;
    outputs.push({ name, value });
    named.push({ output: name, names: paths.map((p) => taps.names(p)[0]) });
  }
  return { outputs, taps: named };
}

/** A tap may name a value of the model's own body: `tap "hidden.61" <- h`. */
function exportNamed(frame: Frame, sections: Sections): void {
  for (const rule of sections.weights?.rules ?? []) {
    if (rule.kind !== 'tap' || rule.target.segments.length !== 1) continue;
    const [name] = rule.target.segments[0].names;
    const value = name === undefined || frame.run.exported.has(name) ? undefined : frame.scope.findAssignable(name);
    if (value?.kind === 'tensor') exportTensor(frame, name, value);
  }
}

function readInfo(frame: Frame, { model, body }: ChosenModel, sections: Sections): Omit<ModelInfo, 'quantize'> {
  const dims = new Map<string, number>();
  for (const s of body) {
    const value = s.kind === 'dim' ? frame.scope.find(s.name.name) : undefined;
    if (value?.kind === 'axis' && typeof value.size === 'number' && s.kind === 'dim') dims.set(s.name.name, value.size);
  }
  const train = attempt(frame.run, () => readTrain(frame, sections.train));
  const mesh = attempt(frame.run, () => readMesh(frame, sections.mesh));
  return {
    name: model.name.name, span: model.span, context: readContext(frame, sections.context), stop: readStop(frame, sections.stop),
    precision: frame.run.precision, dims, absentHeads: frame.run.absentHeads,
    ...(sections.weights === undefined ? {} : { weights: { rules: sections.weights.rules, span: sections.weights.span } }),
    ...(train === undefined ? {} : { train }), ...(mesh === undefined ? {} : { mesh }),
  };
}
