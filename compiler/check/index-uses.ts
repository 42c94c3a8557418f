/**
 * What a repeat's body makes of its index: the largest expressions that are known once the index is. Two iterations for
 * which they all have the same values do the same, so that one of them need not be read again.
 *
 *   x += ffn = (if i < 1 then dense else sparse)(norm(x))     `i < 1`
 *   attention(freq: plain(theta[i], 64), ..)                  `theta[i]`
 */
import type { Expr, Statement } from '../../dsl/ast.js';
import { evaluate } from './evaluate.js';
import { Abandoned, type Frame } from './frame.js';
import { Scope } from './scope.js';
import { boundNames } from './statements.js';
import type { Value } from './value.js';

const knownFunctions: ReadonlySet<string> = new Set(['floor', 'ceil', 'round', 'min', 'max', 'abs', 'sqrt', 'ln', 'exp', 'among']);
const knownKinds: ReadonlySet<Value['kind']> = new Set(['number', 'axis', 'bool', 'symbol', 'string', 'none', 'vector']);

interface Search { readonly index: string; readonly isKnown: (name: string) => boolean; readonly found: Expr[] }

/** `known`: a value at compile time. `uses`: the index is in it. */
interface Facts { readonly known: boolean; readonly uses: boolean }

const nothing: Facts = { known: false, uses: false };

export function indexUses(frame: Frame, body: readonly Statement[], index: string): readonly Expr[] {
  const inner = new Set(body.flatMap(boundNames));
  const isKnown = (name: string): boolean => {
    const value = inner.has(name) ? undefined : frame.scope.find(name);
    return value !== undefined && isPlain(value);
  };
  const found: Expr[] = [];
  search(body, { index, isKnown, found });
  return found;
}

function search(node: unknown, s: Search): Facts {
  if (Array.isArray(node)) { node.forEach((n) => settle(n, s)); return nothing; }
  if (typeof node !== 'object' || node === null) return nothing;
  const e = node as Expr;
  switch (e.kind) {
    case 'number': case 'bool': case 'none': case 'string': return { known: true, uses: false };
    case 'name': return e.name === s.index ? { known: true, uses: true } : { known: s.isKnown(e.name), uses: false };
    case 'unary': return combine([e.operand], s);
    case 'binary': return combine([e.left, e.right], s, e.operator !== '@');
    case 'conditional': return combine([e.condition, e.then, e.otherwise], s);
    case 'index': return combine([e.object, e.index], s, e.axis === undefined);
    case 'list': return combine(e.items, s);
    case 'call': return combine(e.args.map((a) => a.value), s, settleCallee(e.callee, s));
    default:
      for (const [key, child] of Object.entries(node)) if (key !== 'span') settle(child, s);
      return nothing;
  }
}

function settleCallee(callee: Expr, s: Search): boolean {
  if (callee.kind === 'name') return knownFunctions.has(callee.name) && callee.name !== s.index;
  settle(callee, s);
  return false;
}

function combine(children: readonly Expr[], s: Search, operator = true): Facts {
  const facts = children.map((c) => search(c, s));
  if (operator && facts.every((f) => f.known)) return { known: true, uses: facts.some((f) => f.uses) };
  children.forEach((c, i) => { if (facts[i].known && facts[i].uses) s.found.push(c); });
  return nothing;
}

function settle(node: unknown, s: Search): void {
  const facts = search(node, s);
  if (facts.known && facts.uses) s.found.push(node as Expr);
}

/** The values of `uses` for one index, as text; undefined if one of them is a mistake there. */
export function valuesAt(frame: Frame, uses: readonly Expr[], index: string, value: Value): string | undefined {
  const scope = new Scope(frame.scope);
  scope.set(index, value);
  try {
    const values = uses.map((e) => evaluate({ ...frame, scope, symbols: true }, e));
    return values.every(isPlain) ? JSON.stringify(values.map(plain)) : undefined;
  } catch (e) {
    if (e instanceof Abandoned) return undefined;
    throw e;
  }
}

/** Known now, all of it: no list of tensors or layers. */
export function isPlain(v: Value): boolean {
  return v.kind === 'list' || v.kind === 'tuple' ? v.items.every(isPlain) : knownKinds.has(v.kind);
}

/** Without origins: two equal numbers are one. */
export function plain(v: Value): unknown {
  switch (v.kind) {
    case 'number': case 'bool': case 'string': return v.value;
    case 'axis': case 'symbol': return [v.kind, v.name];
    case 'vector': return [v.data, v.axis?.name];
    case 'list': case 'tuple': return v.items.map(plain);
    case 'none': return null;
    default: return undefined;
  }
}
