/** A module divided among ranks, to be interpreted beside the whole one. */
import type { Bindings } from '../../compiler/ir/interpret-graph.js';
import type { ParamDecl, Module } from '../../compiler/ir/graph.js';
import { copyRegion, stridesOf, type Tensor } from '../../compiler/ir/interpret/tensor.js';
import { placesOn, rankCount, type Mesh } from '../../compiler/ir/mesh.js';
import { shard } from '../../compiler/passes/shard.js';

const span = { file: 'test.firn', start: 0, end: 0, line: 1, column: 1 };

export function sharded(module: Module, mesh: Mesh): Module {
  return shard(module, { mesh, spanOf: () => span });
}

/** Bindings per rank: its place on the mesh and its parts of the parameters, whose whole values `bindings` has. */
export function rankBindings(divided: Module, mesh: Mesh, bindings: Bindings): Bindings[] {
  return Array.from({ length: rankCount(mesh) }, (_, rank) => {
    const ranks = Object.fromEntries(Object.entries(mesh).map(([group, count]) => [group, { index: placesOn(mesh, group)[rank], count }]));
    const params = (param: number, iteration: number): ArrayLike<number> => partOf(divided.params[param], bindings.params(param, iteration), (group) => ranks[group].index);
    return { ...bindings, ranks, params };
  });
}

function partOf(decl: ParamDecl, whole: ArrayLike<number>, placeOn: (group: string) => number): Float64Array {
  const shards = new Map((decl.shard ?? []).map((s) => [s.axis, s]));
  const axes = decl.type.axes.map((a) => ({ name: a.name, size: a.size as number }));
  const from: Tensor = { dtype: 'f32', axes: axes.map((a) => ({ name: a.name, size: a.size * (shards.get(a.name)?.count ?? 1) })), data: Float64Array.from(whole) };
  const out: Tensor = { dtype: 'f32', axes, data: new Float64Array(axes.reduce((n, a) => n * a.size, 1)) };
  const steps = stridesOf(from, axes);
  const start = axes.reduce((at, a, i) => at + (shards.has(a.name) ? placeOn(shards.get(a.name)!.group) * a.size * steps[i] : 0), 0);
  copyRegion(axes, out.data, 0, stridesOf(out, axes), from.data, start, steps);
  return out.data as Float64Array;
}
