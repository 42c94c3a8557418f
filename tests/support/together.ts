/** Several sequences in one session, in launches that all of them share. */
import type { Session } from '../../runtime/session.js';

/** Every row of `output` per sequence, at most `piece` tokens of each in a launch. What comes next is known, for what looks ahead. */
export async function runTogether(session: Session, tokens: readonly (readonly number[])[], piece: number, output = 'logits'): Promise<number[][]> {
  const open = tokens.map(() => session.open());
  const out: number[][] = tokens.map(() => []);
  for (let from = 0; from < Math.max(...tokens.map((t) => t.length)); from += piece) {
    const active = tokens.flatMap((t, s) => (from < t.length ? [s] : []));
    const works = active.map((s) => ({ sequence: open[s], tokens: tokens[s].slice(from, from + piece), rows: 'all' as const, next: tokens[s].slice(from + piece) }));
    const results = await session.run(works, [output]);
    active.forEach((s, i) => out[s].push(...(results[i].outputs[output] as Float32Array)));
  }
  open.forEach((s) => session.close(s));
  return out;
}
