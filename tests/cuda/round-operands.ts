/** A tile program whose products see their operands rounded to bf16, as matrix instructions do: the exact expectation. */
import { arg, cast } from '../../compiler/ir/expr.js';
import type { Program, Statement, Tile, TileId } from '../../compiler/ir/kernel.js';

export function roundOperands(program: Program): Program {
  const tiles = new Map<TileId, Tile>();
  const collect = (body: readonly Statement[]): void => {
    for (const s of body) {
      if (s.op === 'for') for (const c of s.carries) for (const t of [c.inside, c.out]) tiles.set(t.id, t);
      if (s.op === 'for' || s.op === 'if') collect(s.body);
      else if ('out' in s) tiles.set(s.out.id, s.out);
    }
  };
  collect(program.body);
  let next = Math.max(...tiles.keys()) + 1;
  const rewrite = (body: readonly Statement[]): Statement[] => body.flatMap((s): Statement[] => {
    if (s.op === 'for' || s.op === 'if') return [{ ...s, body: rewrite(s.body) }];
    if (s.op !== 'dot') return [s];
    const rounded = [s.a, s.b].map((id): Statement & { op: 'map' } => ({ op: 'map', out: { ...tiles.get(id)!, id: next++ }, expr: cast('f32', cast('bf16', arg(0))), args: [id] }));
    return [...rounded, { ...s, a: rounded[0].out.id, b: rounded[1].out.id }];
  });
  return { ...program, body: rewrite(program.body) };
}
