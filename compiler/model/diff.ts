/**
 * What two models differ in, in the words of their specs (dims, arguments, tables, sections), in what they are made of
 * (layers by kind, parameters by shape and storage), and in what they cost.
 */
import { hasErrors, type Diagnostic } from '../../dsl/diagnostics.js';
import { loadProgram, type ModuleLoader } from '../../dsl/modules.js';
import { printExpr } from '../../dsl/print-expressions.js';
import { render } from '../../dsl/pretty.js';
import type { SourceFile } from '../../dsl/span.js';
import { elaborate } from '../check/elaborate.js';
import type { ModelInfo } from '../check/model-info.js';
import { selectModel } from '../check/model.js';
import { planSizes } from '../entry-dims.js';
import type { Module } from '../ir/graph.js';
import { printStorage } from '../ir/print-graph.js';
import { measuresOf } from './explore.js';
import { layerRuns } from './layer-kinds.js';
import { type Measure, measureNames } from './measures.js';
import type { DeviceFigures } from './roofline.js';
import { moduleStats } from './stats.js';
import { variablesOf } from './variables.js';
import { signaturesOf } from './variation.js';

export interface DiffRequest {
  readonly a: SourceFile;
  readonly b: SourceFile;
  readonly load: ModuleLoader;
  readonly device: DeviceFigures;
  /** Tokens in each cache and sequences, for the costs; 8192 (or the shorter context of the two) and 1 if not given. */
  readonly context?: number;
  readonly batch?: number;
}

/** `a` or `b` is absent where only the other model has it. */
export interface Difference { readonly what: string; readonly a?: string; readonly b?: string }
export interface ModelDiff {
  readonly names: readonly [string, string];
  /** Dims, constants, tables, templates and arguments by path, then context, stop, precision and mesh. */
  readonly spec: readonly Difference[];
  /** Layers of each repeat, as runs of equal kinds. */
  readonly layers: readonly Difference[];
  /** Parameters by path (`[*]` for indices): shape and storage. */
  readonly parameters: readonly Difference[];
  readonly cost: readonly { readonly measure: Measure; readonly a: number; readonly b: number }[];
}

interface Side { readonly module: Module; readonly info: ModelInfo; readonly spec: ReadonlyMap<string, string> }

/** `diff` is absent if one of the specs is wrong. */
export function diffModels(request: DiffRequest): { readonly diff?: ModelDiff; readonly diagnostics: readonly Diagnostic[]; readonly files: readonly SourceFile[] } {
  const diagnostics: Diagnostic[] = [];
  const files: SourceFile[] = [];
  const [a, b] = [request.a, request.b].map((entry) => readSide(entry, request.load, diagnostics, files));
  if (a === undefined || b === undefined) return { diagnostics, files };
  const context = request.context ?? Math.min(8192, a.info.context, b.info.context);
  const cost = [a, b].map((s) => measuresOf(s.module, s.info, request.device, context, request.batch ?? 1));
  return {
    diagnostics, files,
    diff: {
      names: [a.info.name, b.info.name], spec: outermost(compare(a.spec, b.spec)), layers: compare(layersOf(a.module), layersOf(b.module)),
      parameters: compare(parametersOf(a.module), parametersOf(b.module)),
      cost: measureNames.map((measure) => ({ measure, a: cost[0][measure], b: cost[1][measure] })),
    },
  };
}

function readSide(entry: SourceFile, load: ModuleLoader, diagnostics: Diagnostic[], files: SourceFile[]): Side | undefined {
  const program = loadProgram(entry, load);
  files.push(...program.sources);
  diagnostics.push(...program.diagnostics);
  if (hasErrors(program.diagnostics)) return undefined;
  const { module, info, diagnostics: found } = elaborate(program, { block: planSizes.block });
  diagnostics.push(...found);
  const model = selectModel(program, undefined, {}, []);
  if (!module || !info || model === undefined) return undefined;
  const spec = new Map(variablesOf(model.body, signaturesOf(program, model)).map((v) => [v.path, flat(render(printExpr(v.value)))]));
  spec.set('context', String(info.context)).set('stop', info.stop.length === 0 ? 'none' : info.stop.join(', '));
  for (const [name, dtype] of Object.entries(info.precision)) spec.set(`precision.${name}`, dtype);
  if (info.train !== undefined) spec.set('train', `${info.train.rule}(${[...info.train.settings].map(([k, v]) => `${k}: ${v}`).join(', ')})`);
  info.quantize.forEach((q) => spec.set(`quantize ${[...new Set(q.paths.map((p) => p.replace(/\[\d+\]/g, '[*]')))].join(', ')}`, printStorage(q.storage)));
  return { module, info, spec };
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ');
}

function compare(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): Difference[] {
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((what): Difference[] => {
    const [x, y] = [a.get(what), b.get(what)];
    return x === y ? [] : [{ what, ...(x === undefined ? {} : { a: x }), ...(y === undefined ? {} : { b: y }) }];
  });
}

/** The whole of a template whose arguments are told is no news; nor are the arguments of one that only one side has, or of another layer. */
function outermost(all: readonly Difference[]): Difference[] {
  const callee = (text: string): string => text.split('(')[0];
  const whole = (d: Difference): boolean => d.a === undefined || d.b === undefined || callee(d.a) !== callee(d.b);
  const inside = (d: Difference, outer: Difference): boolean => d.what.startsWith(`${outer.what}.`);
  return all.filter((d) => !all.some((o) => inside(d, o) && whole(o)) && (whole(d) || !all.some((o) => inside(o, d))));
}

function layersOf(module: Module): Map<string, string> {
  return new Map([...layerRuns(module)].map(([label, runs]) => [label, runs.map((r) => `${r.count} of kind ${r.kind}`).join(', ')]));
}

function parametersOf(module: Module): Map<string, string> {
  const out = new Map<string, string>();
  for (const g of moduleStats(module).groups) {
    const text = `[${g.shape.map((s) => `${s.name} ${s.size}`).join(', ')}] ${printStorage(g.storage)}`;
    // Layers of one kind and of another may have a parameter of one path.
    const known = out.get(g.path);
    if (known === undefined) out.set(g.path, text);
    else if (!known.split('; ').includes(text)) out.set(g.path, `${known}; ${text}`);
  }
  return out;
}
