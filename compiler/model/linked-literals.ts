/**
 * Numbers that follow sizes without being one: in `score_scale: 192 ** -0.5`, 192 is nope + rope of the same call. What
 * they follow is read off the layer: a sum that its body writes (`nope + rope`), or one argument of equal value.
 */
import type { Expr, Layer } from '../../dsl/ast.js';
import { lookUp, type Program } from '../../dsl/modules.js';
import type { ChosenModel } from '../check/model.js';
import type { Variable } from './variables.js';

export interface Follower { readonly path: string; follow(sizes: ReadonlyMap<string, number>): Expr }

/** For every argument that holds such a number. Its own path is then no size of its own. */
export function followers(program: Program, model: ChosenModel, all: readonly Variable[], sizes: ReadonlyMap<string, number>): Follower[] {
  return all.flatMap((owner): Follower[] => {
    const layer = owner.type === 'layer' && owner.value.kind === 'call' ? layerOf(program, model, owner.value.callee) : undefined;
    if (layer === undefined) return [];
    const own = (name: string): string => `${owner.path}.${name}`;
    const sums = sumsIn(layer).map(([a, b]) => [own(a), own(b)]).filter((pair) => pair.every((p) => sizes.has(p)));
    const singles = [...sizes.keys()].filter((p) => p.startsWith(`${owner.path}.`) && !p.slice(owner.path.length + 1).includes('.')).map((p) => [p]);
    const reals = all.filter((v) => v.path.startsWith(`${owner.path}.`) && v.type === 'real' && !v.path.slice(owner.path.length + 1).includes('.'));
    return reals.flatMap((v) => follower(v, [...sums, ...singles], sizes));
  });
}

function follower(v: Variable, sources: readonly (readonly string[])[], sizes: ReadonlyMap<string, number>): Follower[] {
  const total = (paths: readonly string[], at: ReadonlyMap<string, number>): number => paths.reduce((n, p) => n + at.get(p)!, 0);
  const sourceOf = (value: number): readonly string[] | undefined => sources.find((paths) => total(paths, sizes) === value);
  let found = false;
  rewriteNumbers(v.value, (value) => { found ||= value >= 8 && sourceOf(value) !== undefined; return value; });
  if (!found) return [];
  return [{ path: v.path, follow: (at) => rewriteNumbers(v.value, (value) => { const paths = value >= 8 ? sourceOf(value) : undefined; return paths === undefined ? value : total(paths, at); }) }];
}

/** Whole numbers anywhere in arithmetic and calls. */
function rewriteNumbers(e: Expr, change: (value: number) => number): Expr {
  switch (e.kind) {
    case 'number': {
      const value = e.integer ? change(e.value) : e.value;
      return value === e.value ? e : { ...e, value, text: String(value) };
    }
    case 'unary': return { ...e, operand: rewriteNumbers(e.operand, change) };
    case 'binary': return { ...e, left: rewriteNumbers(e.left, change), right: rewriteNumbers(e.right, change) };
    // Of a function such as `yarn_scale(192, 32, 1.0)` the first argument is the size.
    case 'call': return { ...e, args: e.args.map((a, i) => (i === 0 ? { ...a, value: rewriteNumbers(a.value, change) } : a)) };
    default: return e;
  }
}

function layerOf(program: Program, model: ChosenModel, callee: Expr): Layer | undefined {
  if (callee.kind !== 'name') return undefined;
  const item = model.files.map((f) => lookUp(program, f, callee.name)).find((d) => d !== undefined)?.item;
  return item?.kind === 'layer' ? item : undefined;
}

/** Pairs of names that are added anywhere in the layer's body. */
function sumsIn(layer: Layer): [string, string][] {
  const out: [string, string][] = [];
  const walk = (x: unknown): void => {
    if (typeof x !== 'object' || x === null) return;
    const e = x as Partial<Extract<Expr, { kind: 'binary' }>>;
    if (e.kind === 'binary' && e.operator === '+' && e.left?.kind === 'name' && e.right?.kind === 'name') out.push([e.left.name, e.right.name]);
    for (const child of Object.values(x)) walk(child);
  };
  walk(layer.body);
  return out;
}
