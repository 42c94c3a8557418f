/**
 * A product that needs no loop gets one of a single iteration, so that every product has a place where copies run ahead:
 *
 *   %4 = dot %2, %3   ->   for once in 0 .. 1 carrying %5 as %6 { %8 = load ..  %9 = load ..  %7 = dot %8, %9 onto %6 } -> %4
 *
 * Loads outside stay, as loads that nothing uses cost nothing.
 */
import { int, type Program, type Statement, type Tile, type TileId } from '../../compiler/ir/kernel.js';

export function wrapProducts(program: Program): Program {
  const state = { next: 0, loops: 0 };
  const scan = (body: readonly Statement[]): void => {
    for (const s of body) {
      if (s.op === 'for') for (const c of s.carries) state.next = Math.max(state.next, c.inside.id + 1, c.out.id + 1);
      if (s.op === 'for' || s.op === 'if') scan(s.body);
      else if ('out' in s) state.next = Math.max(state.next, s.out.id + 1);
    }
  };
  scan(program.body);
  const fresh = (like: Tile): Tile => ({ ...like, id: state.next++ });
  /** `inside`: in a loop that carries tiles, whose products run with it. */
  const rewrite = (body: readonly Statement[], inside: boolean): Statement[] => {
    const out: Statement[] = [];
    for (const s of body) {
      if (s.op === 'for') out.push({ ...s, body: rewrite(s.body, s.carries.length > 0) });
      else if (s.op === 'if') out.push({ ...s, body: rewrite(s.body, false) });
      else if (s.op !== 'dot' || inside) out.push(s);
      else {
        const loads = out.flatMap((x) => (x.op === 'load' && (x.out.id === s.a || x.out.id === s.b) ? [{ ...x, out: fresh(x.out), from: x.out.id }] : []));
        const operand = (id: TileId): TileId => loads.find((x) => x.from === id)?.out.id ?? id;
        const [start, carried, next] = [fresh(s.out), fresh(s.out), fresh(s.out)];
        if (s.acc === undefined) out.push({ op: 'full', out: start, value: 0 });
        out.push({
          op: 'for', variable: `once_${state.loops++}`, lo: int(0), hi: int(1), step: 1,
          carries: [{ initial: s.acc ?? start.id, inside: carried, next: next.id, out: s.out }], body: [...loads.map(({ from: _, ...load }) => load), { ...s, a: operand(s.a), b: operand(s.b), out: next, acc: carried.id }],
        });
      }
    }
    return out;
  };
  return { ...program, body: rewrite(program.body, false) };
}
