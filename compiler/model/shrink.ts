/**
 * A miniature of a model: every kind of layer kept, sizes reduced until few parameters are left, and every relation that
 * makes it a model (divisors, sums, equal sizes, int4 groups, rotary pairs) kept, since each step is checked like any spec.
 *
 *   layers: the shortest prefix that has every kind, twice where the model has it twice (so that repeats stay repeats)
 *   sizes:  all whole numbers halved together; where that breaks a relation, those of equal value, then one by one
 */
import type { Expr, File, Model, Statement } from '../../dsl/ast.js';
import { hasErrors, type Diagnostic } from '../../dsl/diagnostics.js';
import { loadProgram, type ModuleLoader, type Program } from '../../dsl/modules.js';
import { parse } from '../../dsl/parse.js';
import { print } from '../../dsl/print.js';
import type { SourceFile } from '../../dsl/span.js';
import { checkSpec } from '../compile.js';
import { elaborate } from '../check/elaborate.js';
import { selectModel, type ChosenModel } from '../check/model.js';
import { countParameters } from '../check/model-info.js';
import type { Module } from '../ir/graph.js';
import { depthNeeded, layerKinds } from './layer-kinds.js';
import { followers, type Follower } from './linked-literals.js';
import { mergeFiles } from './merge-files.js';
import { replaceVariables, withElements, type Signatures, type Variable } from './variables.js';
import { signaturesOf } from './variation.js';

export interface ShrinkRequest {
  readonly entry: SourceFile;
  readonly load: ModuleLoader;
  readonly model?: string;
  /** Stop when no more parameters than this are left; 1e6 if not given. */
  readonly targetParameters?: number;
}
export interface Shrunk {
  /** The miniature as a spec of its own, in canonical form. */
  readonly text: string;
  readonly parameters: number;
  readonly before: number;
  /** What became smaller, in the order of the spec. */
  readonly changes: readonly { readonly path: string; readonly from: number; readonly to: number }[];
}

type Sizes = ReadonlyMap<string, number>;
interface Checked { readonly sizes: Sizes; readonly module: Module; readonly parameters: number }

/** `shrunk` is absent if the spec is wrong. */
export function shrink(request: ShrinkRequest): { readonly shrunk?: Shrunk; readonly diagnostics: readonly Diagnostic[]; readonly files: readonly SourceFile[] } {
  const program = loadProgram(request.entry, request.load);
  const diagnostics = [...program.diagnostics];
  const model = hasErrors(diagnostics) ? undefined : selectModel(program, request.model, {}, diagnostics);
  const whole = model === undefined ? undefined : mergeFiles(program, model, diagnostics);
  if (model === undefined || whole === undefined || hasErrors(diagnostics)) return { diagnostics, files: program.sources };
  const base = elaborate(program, { model: request.model });
  if (!base.module) return { diagnostics: [...diagnostics, ...base.diagnostics], files: program.sources };
  const reduction = new Reduction(program, model, base.module);
  const smallest = reduction.run(request.targetParameters ?? 1e6);
  // Printed twice: columns are lined up by where the text stands.
  const draft = print(miniatureFile(whole, model, reduction.body(smallest.sizes), smallest, request.entry));
  const text = print(parse({ path: request.entry.path, text: draft }).file!);
  const made = checkSpec({ entry: { path: request.entry.path, text }, load: request.load });
  if (!made.module || hasErrors(made.diagnostics)) throw new Error(`shrink: the miniature is no model\n${made.diagnostics.map((d) => d.message).join('\n')}\n${text}`);
  const changes = [...smallest.sizes].flatMap(([path, to]) => { const from = reduction.original.get(path)!; return from === to ? [] : [{ path, from, to }]; });
  return { shrunk: { text, parameters: smallest.parameters, before: countParameters(base.module), changes }, diagnostics, files: program.sources };
}

class Reduction {
  readonly original: Sizes;
  private readonly signatures: Signatures;
  private readonly followers: readonly Follower[];
  private readonly floors: Sizes;
  private readonly depths: readonly string[];
  private readonly kinds: ReadonlySet<string>;

  constructor(private readonly program: Program, private readonly model: ChosenModel, private readonly module: Module) {
    this.signatures = signaturesOf(program, model);
    const all = withElements(model.body, this.signatures);
    const numbers = all.filter(isSize);
    this.followers = followers(program, model, all, new Map(numbers.map((v) => [v.path, v.value.value])));
    const sizes = numbers.filter((v) => !this.followers.some((f) => v.path.startsWith(`${f.path}.`)));
    this.original = new Map(sizes.map((v) => [v.path, v.value.value]));
    const vocabulary = module.graph.outputs.length === 0 ? 0 : vocabularyOf(module);
    this.floors = new Map(sizes.map((v) => [v.path, floorOf(v, vocabulary)]));
    this.depths = depthPaths(all, this.original);
    this.kinds = layerKinds(module);
  }

  run(target: number): Checked {
    let best = this.shorten();
    while (best.parameters > target) {
      const next = this.halveTogether(best) ?? this.halveApart(best, target);
      if (next === undefined) break;
      best = next;
    }
    return best;
  }

  body(sizes: Sizes): readonly Statement[] {
    const values = new Map<string, Expr>();
    for (const [path, value] of sizes) if (value !== this.original.get(path)) values.set(path, numberLike(value));
    for (const f of this.followers) values.set(f.path, f.follow(sizes));
    return replaceVariables(this.model.body, this.signatures, values);
  }

  private shorten(): Checked {
    const whole: Checked = { sizes: this.original, module: this.module, parameters: countParameters(this.module) };
    const most = Math.max(0, ...this.depths.map((p) => this.original.get(p)!));
    for (let depth = depthNeeded(this.module); depth < most; depth++) {
      const shorter = this.check(new Map([...this.original, ...this.depths.map((p) => [p, Math.min(depth, this.original.get(p)!)] as const)]));
      if (shorter !== undefined) return shorter;
    }
    return whole;
  }

  private halveTogether(from: Checked): Checked | undefined {
    const next = new Map([...from.sizes].map(([path, v]) => [path, this.depths.includes(path) ? v : Math.max(this.floors.get(path)!, Math.ceil(v / 2))]));
    return [...next].some(([path, v]) => v < from.sizes.get(path)!) ? this.check(next) : undefined;
  }

  /** The sizes of one original value together, then each alone; the largest first. */
  private halveApart(from: Checked, target: number): Checked | undefined {
    let best = from;
    const free = [...from.sizes.keys()].filter((p) => !this.depths.includes(p)).sort((a, b) => this.original.get(b)! - this.original.get(a)!);
    const groups = [...new Set(free.map((p) => this.original.get(p)!))].map((v) => free.filter((p) => this.original.get(p) === v));
    for (const group of groups) {
      if (best.parameters <= target) break;
      const together = this.reduce(best, group);
      best = together ?? (group.length > 1 ? group.reduce((b, path) => this.reduce(b, [path]) ?? b, best) : best);
    }
    return best === from ? undefined : best;
  }

  /** By half, or to the next power of two: whatever is a model. */
  private reduce(from: Checked, paths: readonly string[]): Checked | undefined {
    const steps: ((v: number) => number)[] = [(v) => Math.ceil(v / 2), (v) => 2 ** Math.ceil(Math.log2(v) - 1)];
    for (const step of steps) {
      const next = new Map(from.sizes);
      for (const path of paths) next.set(path, Math.max(this.floors.get(path)!, Math.min(next.get(path)!, step(next.get(path)!))));
      if (paths.every((p) => next.get(p) === from.sizes.get(p))) continue;
      const checked = this.check(next);
      if (checked !== undefined) return checked;
    }
    return undefined;
  }

  /** The model with these sizes, if it is one and has the same kinds of layers. */
  private check(sizes: Sizes): Checked | undefined {
    const body = this.body(sizes);
    const { module } = elaborate(this.program, { model: this.model.model.name.name, rewrite: () => body });
    if (!module) return undefined;
    const kinds = layerKinds(module);
    return [...this.kinds].every((k) => kinds.has(k)) ? { sizes, module, parameters: countParameters(module) } : undefined;
  }
}

type Size = Variable & { readonly value: Extract<Expr, { kind: 'number' }> };

function isSize(v: Variable): v is Size {
  if (v.value.kind !== 'number' || !v.value.integer) return false;
  // Small numbers of a list are places, counts and choices.
  return v.type === 'element' ? v.value.value >= 32 : v.value.value >= 2 && ['dim', 'int', 'const', 'count', 'extent'].includes(v.type ?? '');
}

/** Smaller sizes would hide what a model is made of; a vocabulary holds every byte. */
function floorOf(v: Size, vocabulary: number): number {
  const { value } = v.value;
  if (value === vocabulary || v.path === 'context') return Math.min(value, 256);
  return value >= 32 ? 8 : Math.max(2, Math.ceil(value / 4));
}

function vocabularyOf(module: Module): number {
  const logits = module.graph.outputs.find((o) => o.name === 'logits')?.value;
  const type = module.graph.nodes.flatMap((n) => n.results).find((r) => r.id === logits)?.type;
  const size = type?.axes.find((a) => typeof a.size === 'number')?.size;
  return typeof size === 'number' ? size : 0;
}

/** Counts of repeats that are plain numbers, the constants they name, and extents and constants of tables that have the same value. */
function depthPaths(all: readonly Variable[], sizes: Sizes): string[] {
  const counts = all.filter((v) => v.type === 'count').map((v) => (v.value.kind === 'name' ? v.value.name : v.path)).filter((p) => sizes.has(p));
  const values = new Set(counts.map((p) => sizes.get(p)));
  const extents = all.filter((v) => v.type === 'extent').map((v) => (v.value.kind === 'name' ? v.value.name : v.path)).filter((p) => values.has(sizes.get(p)));
  return [...new Set([...counts, ...extents])];
}

function numberLike(value: number): Expr {
  return { kind: 'number', value, integer: Number.isInteger(value), text: String(value), span: { file: 'miniature', start: 0, end: 0, line: 1, column: 1 } };
}

/** The file with the miniature instead of its model; its comments spoke of the large one. */
function miniatureFile(file: File, model: ChosenModel, body: readonly Statement[], smallest: Checked, source: SourceFile): File {
  const name = `${model.model.name.name}Mini`;
  const vocabulary = vocabularyOf(smallest.module);
  const mini: Model = { kind: 'model', name: { ...model.model.name, name }, body: withoutForeign(body, vocabulary), span: model.model.span, leading: [''] };
  const count = String(smallest.parameters).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  const heading = [`# ${model.model.name.name} in miniature, made from ${source.path.split('/').at(-1)!}: ${count} parameters.`];
  const others = file.items.filter((i) => i.kind !== 'model').map((i) => (i.leading?.[0] === '' ? i : { ...i, leading: ['', ...(i.leading ?? [])] }));
  const [first, ...uses] = file.uses;
  return first === undefined ? { ...file, items: [...others, { ...mini, leading: heading }], trailing: [] }
    : { ...file, uses: [{ ...first, leading: heading }, ...uses], items: [...others, mini], trailing: [] };
}

/** Stop tokens that the smaller vocabulary does not have are left out, and comments, which spoke of the large model. */
function withoutForeign(body: readonly Statement[], vocabulary: number): Statement[] {
  return body.flatMap((s): Statement[] => {
    const plain = { ...s, leading: s.leading?.every((l) => l === '') ? s.leading : [], trailing: undefined } as Statement;
    if (plain.kind !== 'setting' || plain.name !== 'stop') return [plain];
    const items = (plain.value.kind === 'list' ? plain.value.items : [plain.value]).filter((i) => i.kind !== 'number' || i.value < vocabulary);
    return items.length === 0 ? [] : [{ ...plain, value: { kind: 'list', items, span: plain.value.span } }];
  });
}
