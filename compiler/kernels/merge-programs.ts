/**
 * Programs that do not depend on each other in one launch: the first programs of the common grid run the first part, the
 * next ones the second, and so on. Saves launches where each part alone is too small to fill the machine.
 */
import { int, variable, type Program, type Scalar, type Statement, type View } from '../ir/kernel.js';
import type { Lowered } from './lower/kernels.js';
import { renameScalar, renameStatement, tilesOf, type Renaming } from './rename-program.js';
import { floorDivide, lessThan, maximum, minimum, minus, modulo, plus, times } from './scalar.js';

export function mergePrograms(parts: readonly Lowered[]): Lowered {
  if (parts.length === 1) return parts[0];
  const views: View[] = [];
  const bindings: number[] = [];
  const body: Statement[] = [];
  let begin: Scalar = int(0);
  let tiles = 0;
  parts.forEach((part, i) => {
    const renaming = renamingOf(part, i, tiles, views, bindings);
    tiles = Math.max(tiles, ...tilesOf(part.program.body).map((t) => renaming.tile(t) + 1));
    const extents = part.program.grid.map((g) => renameScalar(g.extent, renaming));
    const end = plus(begin, extents.reduce<Scalar>((n, e) => times(n, e), int(1)));
    const inside: Statement[] = [];
    let rest = minus(variable('program'), begin);
    part.program.grid.forEach((_, k) => {
      const inner = extents.slice(k + 1).reduce<Scalar>((n, e) => times(n, e), int(1));
      inside.push({ op: 'let', name: renaming.variable(part.program.grid[k].name), value: k === 0 ? within(floorDivide(rest, inner), extents[0]) : modulo(floorDivide(rest, inner), extents[k]) });
    });
    inside.push(...part.program.body.map((s) => renameStatement(s, renaming)));
    const upTo: Statement = { op: 'if', condition: lessThan(variable('program'), end), body: inside };
    body.push(i === 0 ? upTo : { op: 'if', condition: lessThan(minus(begin, 1), variable('program')), body: i === parts.length - 1 ? inside : [upTo] });
    begin = end;
  });
  const program: Program = {
    name: parts.map((p) => p.program.name).join('__'),
    views, grid: [{ name: 'program', extent: begin }], body,
    schedule: Object.assign({}, ...parts.map((p) => p.program.schedule)),
    origin: parts.flatMap((p) => p.program.origin),
  };
  return { program, bindings };
}

/** `x`, which the condition around it keeps in 0 .. extent - 1; written so that backends can prove accesses from it alone. */
function within(x: Scalar, extent: Scalar): Scalar {
  return minimum(maximum(x, 0), minus(extent, 1));
}

/** Adds the part's views (one that is there already is shared) and gives its names a suffix. */
function renamingOf(part: Lowered, i: number, tiles: number, views: View[], bindings: number[]): Renaming {
  const names = new Map<string, string>();
  part.program.views.forEach((view, k) => {
    const tensor = part.bindings[k];
    const same = views.findIndex((v, at) => bindings[at] === tensor && JSON.stringify({ ...v, name: '' }) === JSON.stringify({ ...view, name: '' }));
    if (same >= 0) return void names.set(view.name, views[same].name);
    const name = views.some((v) => v.name === view.name) ? `${view.name}_p${i}` : view.name;
    names.set(view.name, name);
    views.push({ ...view, name });
    bindings.push(tensor);
  });
  return { tile: (id) => id + tiles, view: (n) => names.get(n)!, variable: (n) => `${n}_p${i}` };
}
