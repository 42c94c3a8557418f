/** Derivatives of the scalar functions. */
import type { GraphBuilder } from '../../ir/build.js';
import type { ScalarFunction } from '../../ir/expr.js';
import type { Value } from '../../ir/graph.js';

/** Per operand, its cotangent given that of the result; undefined where nothing flows (steps, integers, conditions). */
export function mapGradients(b: GraphBuilder, fn: ScalarFunction, operands: readonly Value[], y: Value, g: Value): readonly (Value | undefined)[] {
  const [x, z] = operands;
  const times = (p: Value, q: Value): Value => b.map('multiply', p, q);
  const scaled = (p: Value, factor: number): Value => times(p, b.scalar(factor));
  const zero = (): Value => b.scalar(0);
  switch (fn) {
    case 'add': return [g, g];
    case 'subtract': return [g, b.map('negate', g)];
    case 'multiply': return [times(g, z), times(g, x)];
    case 'divide': return [b.map('divide', g, z), b.map('negate', b.map('divide', times(g, y), z))];
    case 'mod': return [g, b.map('negate', times(g, b.map('floor', b.map('divide', x, z))))];
    case 'power': return [times(g, times(z, b.map('power', x, b.map('subtract', z, b.scalar(1))))), times(g, times(y, b.map('log', x)))];
    case 'minimum': { const first = b.map('less_equal', x, z); return [b.map('select', first, g, zero()), b.map('select', first, zero(), g)]; }
    case 'maximum': { const first = b.map('less_equal', z, x); return [b.map('select', first, g, zero()), b.map('select', first, zero(), g)]; }
    case 'select': return [undefined, b.map('select', x, g, zero()), b.map('select', x, zero(), g)];
    case 'negate': return [b.map('negate', g)];
    case 'absolute': return [times(g, b.map('sign', x))];
    case 'exp': return [times(g, y)];
    case 'log': return [b.map('divide', g, x)];
    case 'sqrt': return [scaled(b.map('divide', g, y), 0.5)];
    case 'rsqrt': return [scaled(times(g, times(y, times(y, y))), -0.5)];
    case 'tanh': return [times(g, b.map('subtract', b.scalar(1), times(y, y)))];
    case 'sigmoid': return [times(g, times(y, b.map('subtract', b.scalar(1), y)))];
    case 'softplus': return [times(g, b.map('sigmoid', x))];
    case 'erf': return [scaled(times(g, b.map('exp', b.map('negate', times(x, x)))), 2 / Math.sqrt(Math.PI))];
    case 'sin': return [times(g, b.map('cos', x))];
    case 'cos': return [b.map('negate', times(g, b.map('sin', x)))];
    case 'floor_divide': case 'sign': case 'floor': case 'round': case 'less': case 'less_equal': case 'equal': case 'not_equal':
    case 'and': case 'or': case 'not': case 'hash': case 'uniform': case 'order': return [];
  }
}
