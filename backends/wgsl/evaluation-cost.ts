/** Estimates what one evaluation of an element costs if nothing on the way is kept, in arithmetic operations. */
import type { Expr, ScalarFunction } from '../../compiler/ir/expr.js';
import type { Program, Statement, TileId, View } from '../../compiler/ir/kernel.js';
import { operandsOf, type Definitions } from './definitions.js';

const functionCost: Partial<Record<ScalarFunction, number>> = {
  divide: 4, floor_divide: 6, mod: 6, power: 40, exp: 16, log: 20, sqrt: 6, rsqrt: 4, tanh: 24, sigmoid: 20, softplus: 40,
  erf: 30, sin: 20, cos: 20, hash: 150, uniform: 3,
};

function exprCost(e: Expr): number {
  switch (e.kind) {
    case 'arg': case 'number': return 0;
    case 'cast': return exprCost(e.value) + (e.to === 'bf16' || e.to === 'f16' ? 5 : 1);
    case 'call': return e.args.reduce((n, a) => n + exprCost(a), functionCost[e.fn] ?? 1);
  }
}

function loadCost(view: View): number {
  if (view.packing.kind === 'int4') return 10;
  return view.dtype === 'bf16' || view.dtype === 'f16' ? 6 : 4;
}

/** Per tile; what is always computed where it is written costs one read. */
export function evaluationCost(program: Program, definitions: Definitions): (id: TileId) => number {
  const known = new Map<TileId, number>();
  const ofStatement = (s: Statement): number => {
    const operands = operandsOf(s).reduce((n, id) => n + cost(id), 0);
    switch (s.op) {
      case 'load': return loadCost(program.views.find((v) => v.name === s.view)!) + operands;
      case 'map': return exprCost(s.expr) + operands;
      case 'split': case 'merge': case 'slice': case 'rename': case 'concat': return operands + (s.op === 'concat' ? 2 : 0);
      case 'iota': case 'scalar': case 'full': return 0;
      default: return 3;
    }
  };
  const cost = (id: TileId): number => {
    const old = known.get(id);
    if (old !== undefined) return old;
    const d = definitions.of.get(id)!;
    const value = d.carry ? 3 : ofStatement(d.by.statement);
    known.set(id, value);
    return value;
  };
  return cost;
}
