/**
 * Two programs of one launch never store to one element. Proven impossible to keep where a store does not depend on a
 * grid axis at all, or only through places that are affine in it with steps smaller than what is stored; where places
 * come from memory, the interpreter's checked mode decides.
 */
import type { Index, Program, Scalar, Statement, TileId } from '../ir/kernel.js';
import { printStatement } from './print.js';
import type { Violation } from './verify.js';

type Axes = ReadonlySet<string>;
type Store = Extract<Statement, { op: 'store' }>;

/** Which grid axes scalars and tiles depend on, and what enclosing control flow depends on. */
interface Scope {
  readonly grid: readonly string[];
  readonly variables: Map<string, Axes>;
  readonly lets: Map<string, Scalar>;
  readonly tiles: Map<TileId, Axes>;
  readonly control: Axes;
}

const union = (...sets: readonly Axes[]): Axes => new Set(sets.flatMap((s) => [...s]));

export function verifyStores(program: Program): Violation[] {
  // An axis of one program cannot make two programs collide.
  const grid = program.grid.filter((g) => !(g.extent.kind === 'int' && g.extent.value <= 1)).map((g) => g.name);
  const variables = new Map<string, Axes>(program.grid.map((g) => [g.name, new Set([g.name])]));
  const out: Violation[] = [];
  walk(program.body, { grid, variables, lets: new Map(), tiles: new Map(), control: new Set() }, out);
  return out;
}

function walk(body: readonly Statement[], scope: Scope, out: Violation[]): void {
  for (const s of body) {
    switch (s.op) {
      case 'store': out.push(...storeFaults(s, scope)); break;
      case 'let': scope.variables.set(s.name, scalarAxes(s.value, scope)); scope.lets.set(s.name, s.value); break;
      case 'if': walk(s.body, { ...scope, control: union(scope.control, scalarAxes(s.condition, scope)) }, out); break;
      case 'for': {
        const bounds = union(scalarAxes(s.lo, scope), scalarAxes(s.hi, scope));
        scope.variables.set(s.variable, bounds);
        // What a loop carries may depend on anything its body sees.
        for (const c of s.carries) for (const id of [c.inside.id, c.out.id]) scope.tiles.set(id, new Set(scope.grid));
        walk(s.body, { ...scope, control: union(scope.control, bounds) }, out);
        break;
      }
      default: scope.tiles.set(s.out.id, valueAxes(s, scope));
    }
  }
}

function scalarAxes(s: Scalar, scope: Scope): Axes {
  switch (s.kind) {
    case 'int': case 'dim': return new Set();
    case 'var': return scope.variables.get(s.name) ?? new Set();
    case 'element': return union(...s.at.map((a) => scalarAxes(a, scope)));
    default: return union(scalarAxes(s.a, scope), scalarAxes(s.b, scope));
  }
}

function indexAxes(i: Index, scope: Scope): Axes {
  switch (i.kind) {
    case 'point': return scalarAxes(i.at, scope);
    case 'range': return i.limit ? union(scalarAxes(i.start, scope), scalarAxes(i.limit, scope)) : scalarAxes(i.start, scope);
    case 'tile': return scope.tiles.get(i.tile) ?? new Set();
  }
}

function valueAxes(s: Exclude<Statement, { op: 'store' | 'let' | 'for' | 'if' }>, scope: Scope): Axes {
  const of = (...ids: readonly TileId[]): Axes => union(...ids.map((id) => scope.tiles.get(id) ?? new Set<string>()));
  switch (s.op) {
    case 'load': return union(...s.at.map((i) => indexAxes(i, scope)));
    case 'map': return of(...s.args);
    case 'iota': return scalarAxes(s.start, scope);
    case 'scalar': return scalarAxes(s.value, scope);
    case 'full': return new Set();
    case 'dot': return s.acc === undefined ? of(s.a, s.b) : of(s.a, s.b, s.acc);
    case 'concat': return of(...s.parts);
    default: return of(s.value);
  }
}

function storeFaults(s: Store, scope: Scope): Violation[] {
  const decided = union(scope.control, s.where === undefined ? new Set<string>() : scope.tiles.get(s.where) ?? new Set<string>());
  return scope.grid.flatMap((g): Violation[] => {
    if (decided.has(g)) return [];
    const dependent = s.at.filter((i) => indexAxes(i, scope).has(g));
    const fault = dependent.length === 0 ? `does not depend on grid axis '${g}'` : overlap(dependent, g, scope);
    return fault ? [{ law: 'one writer', message: `store to '${s.view}' ${fault}: several programs store to one element`, statement: printStatement(s) }] : [];
  });
}

/** Every place moves by less than what is stored when `g` goes to its next value. */
function overlap(dependent: readonly Index[], g: string, scope: Scope): string | undefined {
  const steps = dependent.map((i) => {
    if (i.kind === 'tile' || (i.kind === 'range' && i.limit && scalarAxes(i.limit, scope).has(g))) return undefined;
    const step = coefficient(i.kind === 'point' ? i.at : i.start, g, scope);
    const size = i.kind === 'range' ? i.size : 1;
    return step === undefined || Math.abs(step) >= size ? undefined : `${size} places in steps of ${step}`;
  });
  return steps.some((s) => s === undefined) ? undefined : `covers ${steps.join(', ')} per program of grid axis '${g}'`;
}

/** By how much `s` grows per step of `g`; undefined if that is not a known constant. */
function coefficient(s: Scalar, g: string, scope: Scope): number | undefined {
  if (!scalarAxes(s, scope).has(g)) return 0;
  switch (s.kind) {
    case 'var': {
      if (s.name === g) return 1;
      const value = scope.lets.get(s.name);
      return value && coefficient(value, g, scope);
    }
    case 'add': case 'subtract': {
      const [a, b] = [coefficient(s.a, g, scope), coefficient(s.b, g, scope)];
      return a === undefined || b === undefined ? undefined : s.kind === 'add' ? a + b : a - b;
    }
    case 'multiply': {
      const [factor, value] = s.a.kind === 'int' ? [s.a.value, s.b] : s.b.kind === 'int' ? [s.b.value, s.a] : [undefined, s.a];
      const inner = coefficient(value, g, scope);
      return factor === undefined || inner === undefined ? undefined : factor * inner;
    }
    default: return undefined;
  }
}
