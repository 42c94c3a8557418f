/** The uniform integers of a tile program as index arithmetic. */
import type { Scalar } from '../../compiler/ir/kernel.js';
import { add, affineText, constant, constantOf, divide, int32, levelOf, modulo, multiply, ofAtom, parenthesised, rangeOf, subtract, type Affine, type Atom } from './affine.js';
import { both, conjunction, within, type Conditions } from './conditions.js';
import type { Scope, Value } from './scope.js';
import { readElement, type ViewAccess } from './views.js';

export interface ScalarContext {
  /** Grid axes, loop variables and lets that are in scope. */
  readonly variables: ReadonlyMap<string, Affine>;
  readonly view: (name: string) => ViewAccess;
  /** Makes a value that WGSL cannot prove uniform uniform, through workgroup memory. */
  readonly broadcast: (value: Value, scope: Scope) => Value;
}

/** `scope` must be uniform: scalars are read by all invocations together. */
export function resolveScalar(s: Scalar, context: ScalarContext, scope: Scope): Affine {
  const of = (x: Scalar): Affine => resolveScalar(x, context, scope);
  switch (s.kind) {
    case 'int': return constant(s.value);
    case 'dim': return ofAtom({ text: `dims.${s.name}`, min: 0, max: int32.max, level: 0 });
    case 'var': return variable(s.name, context);
    case 'add': return add(of(s.a), of(s.b));
    case 'subtract': return subtract(of(s.a), of(s.b));
    case 'multiply': return multiply(of(s.a), of(s.b), scope.bind);
    case 'divide': case 'mod': return quotient(s.kind, of(s.a), of(s.b), scope);
    case 'minimum': case 'maximum': return extremum(s.kind, of(s.a), of(s.b), scope);
    case 'less': return lessThan(of(s.a), of(s.b), scope);
    case 'element': return element(s, context, scope);
  }
}

function variable(name: string, context: ScalarContext): Affine {
  const value = context.variables.get(name);
  if (value === undefined) throw new Error(`wgsl: the scalar variable '${name}' is not in scope`);
  return value;
}

/** A zero divisor gives 0. */
function quotient(kind: 'divide' | 'mod', a: Affine, b: Affine, scope: Scope): Affine {
  const divisor = constantOf(b);
  if (divisor === 0) return constant(0);
  if (divisor !== undefined && divisor > 0) return (kind === 'divide' ? divide : modulo)(a, divisor, scope.bind);
  const positive = rangeOf(a).min >= 0 && rangeOf(b).min > 0;
  const [x, y] = [parenthesised(a), parenthesised(b)];
  const plain = kind === 'divide' ? `${x} / ${y}` : `${x} % ${y}`;
  const text = positive ? plain : `select(${kind === 'divide' ? 'floor_divide' : 'floor_mod'}(${x}, ${y}), 0, ${y} == 0)`;
  return bound(text, positive ? 0 : int32.min, positive ? rangeOf(a).max : int32.max, [a, b], scope);
}

function extremum(kind: 'minimum' | 'maximum', a: Affine, b: Affine, scope: Scope): Affine {
  const gap = rangeOf(subtract(a, b));
  if (gap.max <= 0) return kind === 'minimum' ? a : b;
  if (gap.min >= 0) return kind === 'minimum' ? b : a;
  const [x, y] = [rangeOf(a), rangeOf(b)];
  const pick = kind === 'minimum' ? Math.min : Math.max;
  return bound(`${pick === Math.min ? 'min' : 'max'}(${affineText(a)}, ${affineText(b)})`, pick(x.min, y.min), pick(x.max, y.max), [a, b], scope);
}

function lessThan(a: Affine, b: Affine, scope: Scope): Affine {
  const gap = rangeOf(subtract(b, a));
  if (gap.min > 0) return constant(1);
  if (gap.max <= 0) return constant(0);
  return bound(`select(0, 1, ${affineText(a)} < ${affineText(b)})`, 0, 1, [a, b], scope);
}

function bound(text: string, min: number, max: number, of: readonly Affine[], scope: Scope): Affine {
  const atom: Atom = scope.bind(text, min, max, Math.max(...of.map(levelOf)));
  return ofAtom(atom);
}

function element(s: Extract<Scalar, { kind: 'element' }>, context: ScalarContext, scope: Scope): Affine {
  const access = context.view(s.view);
  const at = s.at.map((x) => resolveScalar(x, context, scope));
  const inside = at.reduce<Conditions>((all, x, i) => both(all, within(x, access.extents[i])), []);
  if (inside === false) return constant(0);
  const raw = readElement(access, at, scope);
  const test = conjunction(inside);
  const value = inside.length === 0 ? raw : { text: `select(0, ${raw.text}, ${test.text})`, level: Math.max(raw.level, test.level) };
  if (access.bound.access === 'read') return ofAtom(scope.bind(value.text, int32.min, int32.max, value.level));
  return ofAtom({ text: context.broadcast(value, scope).text, ...int32, level: scope.level });
}
