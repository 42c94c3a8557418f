/**
 * Neighbouring stretches of one view, loaded apart and put side by side, are one load:
 *
 *   %1 = load c[%0, k: 0 ..+512]   %2 = load c[%0, k: 512 ..+64]   %3 = concat %1, %2 along k   ->   %3 = load c[%0, k: 0 ..+576]
 */
import type { Index, Program, Statement, TileId } from '../../compiler/ir/kernel.js';
import { constantOf } from '../../compiler/kernels/scalar.js';

type Load = Extract<Statement, { op: 'load' }>;

export function mergeLoads(program: Program): Program {
  const loads = new Map<TileId, Load>();
  const rewrite = (body: readonly Statement[]): Statement[] => body.map((s): Statement => {
    if (s.op === 'load') loads.set(s.out.id, s);
    if (s.op === 'for' || s.op === 'if') return { ...s, body: rewrite(s.body) };
    if (s.op !== 'concat') return s;
    const parts = s.parts.map((id) => loads.get(id));
    return parts.every((p) => p !== undefined) ? (merged(s, parts as Load[]) ?? s) : s;
  });
  return { ...program, body: rewrite(program.body) };
}

function merged(s: Statement & { op: 'concat' }, parts: readonly Load[]): Load | undefined {
  const [first] = parts;
  const d = first.at.findIndex((i) => i.kind === 'range' && i.axis === s.axis);
  let end: number | undefined;
  for (const part of parts) {
    const index: Index | undefined = part.at[d];
    const same = part.view === first.view && part.fill === first.fill && part.out.dtype === first.out.dtype && part.at.every((i, e) => e === d || JSON.stringify(i) === JSON.stringify(first.at[e]));
    if (!same || index?.kind !== 'range' || index.axis !== s.axis || index.limit) return undefined;
    const start = constantOf(index.start);
    if (start === undefined || (end !== undefined && start !== end)) return undefined;
    end = start + index.size;
  }
  const index = first.at[d] as Index & { kind: 'range' };
  const size = end! - constantOf(index.start)!;
  return { op: 'load', out: s.out, view: first.view, at: first.at.map((i, e) => (e === d ? { ...index, size } : i)), fill: first.fill };
}
