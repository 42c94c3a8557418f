/** One line per tile statement, for comments in generated text. */
import type { Statement } from '../../compiler/ir/kernel.js';
import { printExpr } from '../../compiler/ir/expr.js';

export function describe(s: Statement): string {
  const out = 'out' in s ? `t${s.out.id}[${s.out.shape.map((a) => `${a.name} ${a.size}`).join(', ')}] = ` : '';
  switch (s.op) {
    case 'load': return `${out}load ${s.view}`;
    case 'store': return `store t${s.value} to ${s.view}`;
    case 'map': return out + printExpr(s.expr, s.args.map((a) => `t${a}`));
    case 'dot': return `${out}${s.acc === undefined ? '' : `t${s.acc} + `}dot(t${s.a}, t${s.b}) over ${s.over.join(', ')}`;
    case 'reduce': return `${out}${s.fn} of t${s.value} over ${s.over.join(', ')}`;
    case 'cumulate': return `${out}running sum of t${s.value} along ${s.axis}${s.reverse ? ', from the end' : ''}`;
    default: return out + s.op;
  }
}
