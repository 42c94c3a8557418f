/** Where each tile of a program is defined and used: the facts that placement and layout are decided from. */
import type { Program, Statement, Tile, TileId } from '../../compiler/ir/kernel.js';

export type ForStatement = Extract<Statement, { op: 'for' }>;
export type Carry = ForStatement['carries'][number];
export type Defining = Extract<Statement, { out: Tile }>;

export interface Definition {
  readonly tile: Tile;
  /** `inside` and `out` tiles of carries are defined by their `for`. */
  readonly role: 'op' | 'inside' | 'out';
  readonly statement: Statement;
  readonly carry?: Carry;
  /** Position in program order; a `for` counts once at its start and once at its end. */
  readonly position: number;
  /** The bodies around it, outermost first; identity is what counts. */
  readonly scope: readonly Statement[];
}

export type Role = 'value' | 'index' | 'where' | 'acc' | 'a' | 'b' | 'initial' | 'next';
export interface Use {
  readonly tile: TileId;
  readonly as: Role;
  readonly statement: Statement;
  readonly position: number;
  readonly scope: readonly Statement[];
}

export interface ProgramIndex {
  readonly definitions: ReadonlyMap<TileId, Definition>;
  /** Uses in program order. */
  readonly uses: ReadonlyMap<TileId, readonly Use[]>;
  /** Statements in program order with their positions and scopes, `for` at its start. */
  readonly statements: readonly { readonly statement: Statement; readonly position: number; readonly scope: readonly Statement[] }[];
}

export function operandsOf(s: Statement): { readonly tile: TileId; readonly as: Role }[] {
  const value = (tile: TileId): { tile: TileId; as: Role } => ({ tile, as: 'value' });
  switch (s.op) {
    case 'load': return s.at.flatMap((i) => (i.kind === 'tile' ? [{ tile: i.tile, as: 'index' as const }] : []));
    case 'store': return [
      value(s.value),
      ...s.at.flatMap((i) => (i.kind === 'tile' ? [{ tile: i.tile, as: 'index' as const }] : [])),
      ...(s.where === undefined ? [] : [{ tile: s.where, as: 'where' as const }]),
    ];
    case 'map': return s.args.map(value);
    case 'dot': return [{ tile: s.a, as: 'a' }, { tile: s.b, as: 'b' }, ...(s.acc === undefined ? [] : [{ tile: s.acc, as: 'acc' as const }])];
    case 'reduce': case 'cumulate': case 'rename': case 'split': case 'merge': case 'slice': return [value(s.value)];
    case 'concat': return s.parts.map(value);
    case 'for': return s.carries.map((c) => ({ tile: c.initial, as: 'initial' as const }));
    case 'iota': case 'scalar': case 'full': case 'let': case 'if': return [];
  }
}

export function indexProgram(program: Program): ProgramIndex {
  const definitions = new Map<TileId, Definition>();
  const uses = new Map<TileId, Use[]>();
  const statements: { statement: Statement; position: number; scope: readonly Statement[] }[] = [];
  let position = 0;
  const use = (u: Use): void => { uses.set(u.tile, [...(uses.get(u.tile) ?? []), u]); };
  const visit = (body: readonly Statement[], scope: readonly Statement[]): void => {
    for (const s of body) {
      const at = position++;
      statements.push({ statement: s, position: at, scope });
      for (const o of operandsOf(s)) use({ ...o, statement: s, position: at, scope });
      if ('out' in s) definitions.set(s.out.id, { tile: s.out, role: 'op', statement: s, position: at, scope });
      if (s.op === 'if') visit(s.body, [...scope, s]);
      if (s.op !== 'for') continue;
      const inner = [...scope, s];
      for (const carry of s.carries) definitions.set(carry.inside.id, { tile: carry.inside, role: 'inside', statement: s, carry, position: at, scope: inner });
      visit(s.body, inner);
      const end = position++;
      for (const carry of s.carries) {
        use({ tile: carry.next, as: 'next', statement: s, position: end, scope: inner });
        definitions.set(carry.out.id, { tile: carry.out, role: 'out', statement: s, carry, position: end, scope });
      }
    }
  };
  visit(program.body, []);
  return { definitions, uses, statements };
}

export function sizeOf(tile: Tile): number {
  return tile.shape.reduce((n, a) => n * a.size, 1);
}

export function definitionOf(index: ProgramIndex, id: TileId): Definition {
  const found = index.definitions.get(id);
  if (!found) throw new Error(`cpu emitter: tile ${id} is not defined`);
  return found;
}

/** Number of loops around `inner` that are not around `outer`. */
export function extraLoops(inner: readonly Statement[], outer: readonly Statement[]): number {
  return inner.slice(outer.length).filter((s) => s.op === 'for').length;
}
