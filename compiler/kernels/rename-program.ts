/** A copy of a program's body with other names: for programs that share one launch. */
import type { Index, Scalar, Statement, Tile } from '../ir/kernel.js';

export interface Renaming {
  readonly tile: (id: number) => number;
  readonly view: (name: string) => string;
  readonly variable: (name: string) => string;
}

export function renameScalar(s: Scalar, r: Renaming): Scalar {
  switch (s.kind) {
    case 'int': case 'dim': return s;
    case 'var': return { kind: 'var', name: r.variable(s.name) };
    case 'element': return { kind: 'element', view: r.view(s.view), at: s.at.map((x) => renameScalar(x, r)) };
    default: return { kind: s.kind, a: renameScalar(s.a, r), b: renameScalar(s.b, r) };
  }
}

function renameIndex(index: Index, r: Renaming): Index {
  switch (index.kind) {
    case 'point': return { kind: 'point', at: renameScalar(index.at, r) };
    case 'range': return { ...index, start: renameScalar(index.start, r), ...(index.limit ? { limit: renameScalar(index.limit, r) } : {}) };
    case 'tile': return { kind: 'tile', tile: r.tile(index.tile) };
  }
}

const renameTile = (t: Tile, r: Renaming): Tile => ({ ...t, id: r.tile(t.id) });

export function renameStatement(s: Statement, r: Renaming): Statement {
  const all = (body: readonly Statement[]): Statement[] => body.map((x) => renameStatement(x, r));
  switch (s.op) {
    case 'load': return { ...s, out: renameTile(s.out, r), view: r.view(s.view), at: s.at.map((i) => renameIndex(i, r)) };
    case 'store': return { ...s, view: r.view(s.view), at: s.at.map((i) => renameIndex(i, r)), value: r.tile(s.value), ...(s.where === undefined ? {} : { where: r.tile(s.where) }) };
    case 'map': return { ...s, out: renameTile(s.out, r), args: s.args.map(r.tile) };
    case 'iota': return { ...s, out: renameTile(s.out, r), start: renameScalar(s.start, r) };
    case 'scalar': return { ...s, out: renameTile(s.out, r), value: renameScalar(s.value, r) };
    case 'full': return { ...s, out: renameTile(s.out, r) };
    case 'dot': return { ...s, out: renameTile(s.out, r), a: r.tile(s.a), b: r.tile(s.b), ...(s.acc === undefined ? {} : { acc: r.tile(s.acc) }) };
    case 'reduce': case 'cumulate': case 'rename': case 'split': case 'merge': case 'slice':
      return { ...s, out: renameTile(s.out, r), value: r.tile(s.value) };
    case 'concat': return { ...s, out: renameTile(s.out, r), parts: s.parts.map(r.tile) };
    case 'let': return { ...s, name: r.variable(s.name), value: renameScalar(s.value, r) };
    case 'for': return {
      ...s, variable: r.variable(s.variable), lo: renameScalar(s.lo, r), hi: renameScalar(s.hi, r), body: all(s.body),
      carries: s.carries.map((c) => ({ initial: r.tile(c.initial), inside: renameTile(c.inside, r), next: r.tile(c.next), out: renameTile(c.out, r) })),
    };
    case 'if': return { ...s, condition: renameScalar(s.condition, r), body: all(s.body) };
  }
}

/** Every tile id a body defines. */
export function tilesOf(body: readonly Statement[]): number[] {
  return body.flatMap((s) => {
    if (s.op === 'for') return [...s.carries.flatMap((c) => [c.inside.id, c.out.id]), ...tilesOf(s.body)];
    if (s.op === 'if') return tilesOf(s.body);
    return 'out' in s ? [s.out.id] : [];
  });
}
