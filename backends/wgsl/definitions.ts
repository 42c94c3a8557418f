/** Where every tile of a program is defined and in which loops, in one linear order of statements. */
import type { Program, Statement, Tile, TileAxis, TileId } from '../../compiler/ir/kernel.js';

export type For = Extract<Statement, { op: 'for' }>;
export type Carry = For['carries'][number];
export type OpStatement<Op extends Statement['op']> = Extract<Statement, { op: Op }>;

/** A statement with its place: `last` is the order of the last statement inside it (its own if it has no body). */
export interface Placed {
  readonly statement: Statement;
  readonly order: number;
  readonly last: number;
  /** Enclosing loops, outermost first. */
  readonly loops: readonly Placed[];
}

export interface Definition {
  readonly tile: Tile;
  readonly by: Placed;
  /** What a `for` defines: `inside` lives in the body, `out` after it. */
  readonly carry?: { readonly carry: Carry; readonly role: 'inside' | 'out' };
}

export interface Definitions {
  readonly statements: readonly Placed[];
  readonly of: ReadonlyMap<TileId, Definition>;
  readonly placed: ReadonlyMap<Statement, Placed>;
}

export function collectDefinitions(program: Program): Definitions {
  const statements: Placed[] = [];
  const of = new Map<TileId, Definition>();
  const visit = (body: readonly Statement[], loops: readonly Placed[]): void => {
    for (const statement of body) {
      const by = { statement, order: statements.length, last: statements.length, loops };
      statements.push(by);
      if ('out' in statement) of.set(statement.out.id, { tile: statement.out, by });
      if (statement.op === 'if') visit(statement.body, loops);
      if (statement.op === 'for') {
        for (const carry of statement.carries) {
          of.set(carry.inside.id, { tile: carry.inside, by, carry: { carry, role: 'inside' } });
          of.set(carry.out.id, { tile: carry.out, by, carry: { carry, role: 'out' } });
        }
        visit(statement.body, [...loops, by]);
      }
      by.last = statements.length - 1;
    }
  };
  visit(program.body, []);
  return { statements, of, placed: new Map(statements.map((p) => [p.statement, p])) };
}

/** The tiles an inline-able statement computes its result from. */
export function operandsOf(s: Statement): readonly TileId[] {
  switch (s.op) {
    case 'load': return s.at.flatMap((i) => (i.kind === 'tile' ? [i.tile] : []));
    case 'store': return [s.value, ...(s.where === undefined ? [] : [s.where]), ...s.at.flatMap((i) => (i.kind === 'tile' ? [i.tile] : []))];
    case 'map': return s.args;
    case 'dot': return [s.a, s.b, ...(s.acc === undefined ? [] : [s.acc])];
    case 'reduce': case 'cumulate': case 'rename': case 'split': case 'merge': case 'slice': return [s.value];
    case 'concat': return s.parts;
    case 'iota': case 'scalar': case 'full': case 'let': case 'if': return [];
    case 'for': return s.carries.map((c) => c.initial);
  }
}

export const sizeOf = (shape: readonly TileAxis[]): number => shape.reduce((n, a) => n * a.size, 1);

/** Names a set of axes, whatever their order. */
export const axesKey = (shape: readonly TileAxis[]): string => shape.map((a) => `${a.name}:${a.size}`).sort().join(' ');
