/**
 * Divides a module among ranks; every rank runs the same graph on its part of the parameters.
 *
 *   %3 = contract %w, %x   w [width: 64, d]     =>  w [width: 32, d], part of 2 of width over tensor
 *   %4 = map silu %3                                %4 = map silu %3
 *   %5 = contract %v, %4 over width                 %5 = all_reduce tensor (contract %v, %4 over width)
 *   %6 = contract %g, %x select experts by %ids     %6 = contract %g, %x select experts by %ids - rank * experts
 *
 * Over `tensor`, axes that live between two contractions with parameters: one makes the axis, one sums it away, and in
 * between every place is computed alone. Over `expert`, axes along which contractions pick by ids. All else is
 * replicated. Needs a module without collectives; gives one in which every rank computes the same outputs.
 */
import { FirnError, type Diagnostic } from '../../dsl/diagnostics.js';
import * as messages from '../../dsl/schedule-messages.js';
import type { Span } from '../../dsl/span.js';
import type { Axis, Module, ParamDecl } from '../ir/graph.js';
import type { Mesh } from '../ir/mesh.js';
import { AxisSets, type AxisSet } from './shard/axis-sets.js';
import { distribute } from './shard/distribute.js';

export interface ShardOptions {
  readonly mesh: Mesh;
  /** Where the spec says how many ranks a mesh axis has: for errors. */
  readonly spanOf: (group: string) => Span;
}

/** Mesh axes that this pass divides along, and by which sets of axes. */
const dividers: Readonly<Record<string, { readonly takes: (set: AxisSet) => boolean; readonly what: string }>> = {
  tensor: { takes: (s) => !s.bound && s.made && s.summed && !s.selected, what: 'axes that one parameter makes and another sums away' },
  expert: { takes: (s) => !s.bound && s.selected && !s.made && !s.summed, what: 'axes along which ids pick parameters' },
};

/** Throws FirnError, with everything that does not divide, if the model cannot be cut as the mesh says. */
export function shard(module: Module, options: ShardOptions): Module {
  for (const [group, count] of Object.entries(options.mesh)) if (!Number.isInteger(count) || count < 1) throw new Error(`shard: ${count} parts on the mesh axis '${group}'`);
  const groups = Object.entries(options.mesh).filter(([, count]) => count > 1);
  if (groups.length === 0) return module;
  const sets = new AxisSets(module);
  const cut = new Map<AxisSet, string>();
  const diagnostics: Diagnostic[] = [];
  for (const [group, count] of groups) {
    const divider = dividers[group];
    if (divider === undefined) { diagnostics.push(messages.meshAxisNotSupported(group, Object.keys(dividers), options.spanOf(group))); continue; }
    const chosen = chooseSets(sets.all().filter(divider.takes), module);
    if (chosen.length === 0) diagnostics.push(messages.nothingToDivide(group, count, divider.what, options.spanOf(group)));
    for (const set of chosen) {
      cut.set(set, group);
      const [param, axis] = [...set.params].sort(([a], [b]) => a - b)[0];
      const { paths, type } = module.params[param];
      const size = type.axes.find((a) => a.name === axis)!.size as number;
      if (size % count !== 0) diagnostics.push(messages.rankPartsDoNotDivide(axis, size, paths[0], group, count, options.spanOf(group)));
    }
  }
  const params = module.params.map((decl, i) => divided(decl, partsOf(i, cut, options.mesh), options, diagnostics));
  if (diagnostics.length > 0) throw new FirnError(diagnostics);
  return distribute({ ...module, params }, module.graph, {
    mesh: options.mesh, groups: groups.map(([group]) => group),
    groupOf: (graph, value, axis) => { const set = sets.of(graph, value, axis); return set && cut.get(set); },
  });
}

/** Sets that no value has two of, those with the most parameter elements first. */
function chooseSets(candidates: readonly AxisSet[], module: Module): AxisSet[] {
  const sizeOf = (set: AxisSet): number => [...set.params.keys()].reduce((n, p) => n + module.params[p].type.axes.reduce((m, a) => m * (a.size as number), module.params[p].paths.length), 0);
  const held = new Set<string>();
  return candidates.map((set) => ({ set, size: sizeOf(set) })).sort((a, b) => b.size - a.size).flatMap(({ set }) => {
    if ([...set.holders].some((h) => held.has(h))) return [];
    for (const h of set.holders) held.add(h);
    return [set];
  });
}

type Part = NonNullable<ParamDecl['shard']>[number];

function partsOf(param: number, cut: ReadonlyMap<AxisSet, string>, mesh: Mesh): Part[] {
  return [...cut].flatMap(([set, group]) => (set.params.has(param) ? [{ axis: set.params.get(param)!, group, count: mesh[group] }] : []));
}

/** One rank's part of a parameter. Groups that share a scale and would be cut are added to `diagnostics`. */
function divided(decl: ParamDecl, parts: readonly Part[], { spanOf }: ShardOptions, diagnostics: Diagnostic[]): ParamDecl {
  if (parts.length === 0) return decl;
  const axes = decl.type.axes.map((a): Axis => {
    const part = parts.find((p) => p.axis === a.name);
    return part ? { name: a.name, size: (a.size as number) / part.count } : a;
  });
  for (const { axis, group, count } of parts) {
    const part = axes.find((a) => a.name === axis)!.size as number;
    const { storage } = decl;
    if (Number.isInteger(part) && (storage.kind === 'int4' || storage.kind === 'mxfp4') && storage.along === axis && part % storage.group !== 0) {
      diagnostics.push(messages.rankPartsCutGroups(axis, part, decl.paths[0], group, count, storage.group, spanOf(group)));
    }
  }
  return { ...decl, type: { ...decl.type, axes }, shard: parts };
}
