/**
 * Arithmetic on the uniform integers of tile programs, folded while it is written: what is constant stays a number, and
 * sums with constants on the right are kept in the form `x + c`.
 */
import type { Scalar } from '../ir/kernel.js';

/** Wherever a Scalar is wanted a plain integer may be written. */
export type ScalarLike = Scalar | number;

export function toScalar(value: ScalarLike): Scalar {
  return typeof value === 'number' ? { kind: 'int', value } : value;
}

/** The value if it does not depend on dims, variables or memory. */
export function constantOf(s: Scalar): number | undefined {
  return s.kind === 'int' ? s.value : undefined;
}

type Binary = Extract<Scalar, { a: Scalar }>['kind'];

/** Integer division and remainder floor; a zero divisor gives 0 so that dead branches stay defined. */
function apply(kind: Binary, a: number, b: number): number {
  switch (kind) {
    case 'add': return a + b;
    case 'subtract': return a - b;
    case 'multiply': return a * b;
    case 'divide': return b === 0 ? 0 : Math.floor(a / b);
    case 'mod': return b === 0 ? 0 : a - Math.floor(a / b) * b;
    case 'minimum': return Math.min(a, b);
    case 'maximum': return Math.max(a, b);
    case 'less': return a < b ? 1 : 0;
  }
}

function binary(kind: Binary, left: ScalarLike, right: ScalarLike): Scalar {
  const a = toScalar(left);
  const b = toScalar(right);
  if (a.kind === 'int' && b.kind === 'int') return { kind: 'int', value: apply(kind, a.value, b.value) };
  return { kind, a, b };
}

export function plus(left: ScalarLike, right: ScalarLike): Scalar {
  const a = toScalar(left);
  const b = toScalar(right);
  if (a.kind === 'int' && b.kind !== 'int') return plus(b, a);
  if (b.kind === 'int') {
    if (b.value === 0) return a;
    if (a.kind === 'add' && a.b.kind === 'int') return plus(a.a, a.b.value + b.value);
  }
  return binary('add', a, b);
}

export function minus(left: ScalarLike, right: ScalarLike): Scalar {
  const b = toScalar(right);
  return b.kind === 'int' ? plus(left, -b.value) : binary('subtract', left, b);
}

export function times(left: ScalarLike, right: ScalarLike): Scalar {
  const a = toScalar(left);
  const b = toScalar(right);
  if (a.kind === 'int' && b.kind !== 'int') return times(b, a);
  if (b.kind === 'int') {
    if (b.value === 0) return b;
    if (b.value === 1) return a;
    if (a.kind === 'multiply' && a.b.kind === 'int') return times(a.a, a.b.value * b.value);
  }
  return binary('multiply', a, b);
}

export function floorDivide(left: ScalarLike, right: ScalarLike): Scalar {
  const b = toScalar(right);
  return b.kind === 'int' && b.value === 1 ? toScalar(left) : binary('divide', left, b);
}

/** Smallest integer not below left / right, for right > 0. */
export function ceilDivide(left: ScalarLike, right: ScalarLike): Scalar {
  const b = toScalar(right);
  return floorDivide(plus(left, minus(b, 1)), b);
}

export function modulo(left: ScalarLike, right: ScalarLike): Scalar {
  const b = toScalar(right);
  return b.kind === 'int' && b.value === 1 ? { kind: 'int', value: 0 } : binary('mod', left, b);
}

export function minimum(left: ScalarLike, right: ScalarLike): Scalar {
  return binary('minimum', left, right);
}

export function maximum(left: ScalarLike, right: ScalarLike): Scalar {
  return binary('maximum', left, right);
}

/** 1 if left < right, else 0. */
export function lessThan(left: ScalarLike, right: ScalarLike): Scalar {
  return binary('less', left, right);
}

/** The i32 element of `view` at `at`; 0 outside the view. */
export function element(view: string | { readonly name: string }, ...at: ScalarLike[]): Scalar {
  return { kind: 'element', view: typeof view === 'string' ? view : view.name, at: at.map(toScalar) };
}

export interface ScalarEnvironment {
  readonly dims: Readonly<Record<string, number>>;
  readonly variables?: Readonly<Record<string, number>>;
  readonly element?: (view: string, at: readonly number[]) => number;
}

/** Throws if a dim, variable or view has no value in `env`. */
export function evaluateScalar(s: Scalar, env: ScalarEnvironment): number {
  switch (s.kind) {
    case 'int': return s.value;
    case 'dim': return known(env.dims[s.name], `dim '${s.name}'`);
    case 'var': return known(env.variables?.[s.name], `variable '${s.name}'`);
    case 'element': return known(env.element?.(s.view, s.at.map((a) => evaluateScalar(a, env))), `element of view '${s.view}'`);
    default: return apply(s.kind, evaluateScalar(s.a, env), evaluateScalar(s.b, env));
  }
}

function known(value: number | undefined, what: string): number {
  if (value === undefined) throw new Error(`evaluating a scalar: no value for ${what}`);
  return value;
}

const operators: Partial<Record<Binary, readonly [text: string, level: number]>> = {
  add: ['+', 1], subtract: ['-', 1], multiply: ['*', 2], divide: ['/', 2], mod: ['mod', 2], less: ['<', 0],
};

/** Infix text; `/` and `mod` floor. Dims and variables by name, elements as `view[i, j]`. */
export function printScalar(s: Scalar, level = 0): string {
  switch (s.kind) {
    case 'int': return String(s.value);
    case 'dim': case 'var': return s.name;
    case 'element': return `${s.view}[${s.at.map((a) => printScalar(a)).join(', ')}]`;
    default: {
      const operator = operators[s.kind];
      if (!operator) return `${s.kind}(${printScalar(s.a)}, ${printScalar(s.b)})`;
      const [text, own] = operator;
      const inner = `${printScalar(s.a, own)} ${text} ${printScalar(s.b, own + 1)}`;
      return own < level ? `(${inner})` : inner;
    }
  }
}

/** Calls `visit` on `s` and everything inside it. */
export function visitScalar(s: Scalar, visit: (s: Scalar) => void): void {
  visit(s);
  if (s.kind === 'element') s.at.forEach((a) => visitScalar(a, visit));
  else if ('a' in s) { visitScalar(s.a, visit); visitScalar(s.b, visit); }
}
