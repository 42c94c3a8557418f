/**
 * A product that is only added to something accumulates onto it, so that no second set of accumulators is needed:
 *
 *   %29 = dot %25, %28     %34 = map add(%33, %29)   ->   %34 = dot %25, %28 onto %33
 */
import type { Program, Statement, TileId } from '../../compiler/ir/kernel.js';
import { operandsOf } from './values.js';

export function fuseAccumulators(program: Program): Program {
  const uses = new Map<TileId, number>();
  countUses(program.body, uses);
  return { ...program, body: fuseBody(program.body, uses) };
}

function countUses(body: readonly Statement[], uses: Map<TileId, number>): void {
  for (const s of body) {
    for (const id of operandsOf(s)) uses.set(id, (uses.get(id) ?? 0) + 1);
    if (s.op === 'for' || s.op === 'if') countUses(s.body, uses);
  }
}

function fuseBody(body: readonly Statement[], uses: ReadonlyMap<TileId, number>): Statement[] {
  const out: Statement[] = [];
  for (const s of body) {
    if (s.op === 'for' || s.op === 'if') out.push({ ...s, body: fuseBody(s.body, uses) });
    else if (s.op === 'map' && isSum(s)) {
      const at = out.findIndex((d) => d.op === 'dot' && d.acc === undefined && s.args.includes(d.out.id) && uses.get(d.out.id) === 1 && d.out.shape.length === s.out.shape.length);
      const dot = out[at];
      if (dot?.op !== 'dot') { out.push(s); continue; }
      out.splice(at, 1);
      out.push({ ...dot, out: s.out, acc: s.args.find((a) => a !== dot.out.id)! });
    } else out.push(s);
  }
  return out;
}

function isSum(s: Statement & { op: 'map' }): boolean {
  return s.expr.kind === 'call' && s.expr.fn === 'add' && s.args.length === 2 && s.expr.args.every((a) => a.kind === 'arg') && s.args[0] !== s.args[1] && s.out.dtype === 'f32';
}
