/** An `Expr` as elementwise nodes. */
import type { GraphBuilder } from './build.js';
import type { Expr } from './expr.js';
import type { Value } from './graph.js';

/** Operand i of the expression is `args[i]`; axes are aligned by name. */
export function buildExpr(b: GraphBuilder, e: Expr, args: readonly Value[]): Value {
  switch (e.kind) {
    case 'arg': return args[e.index];
    case 'number': return b.scalar(e.value, e.dtype);
    case 'cast': return b.cast(buildExpr(b, e.value, args), e.to);
    case 'call': return b.map(e.fn, ...e.args.map((a) => buildExpr(b, a, args)));
  }
}
