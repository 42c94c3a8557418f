/** With several ranks: which part of a weight each of them stores. */
import type { Plan, Weight } from '../compiler/ir/plan.js';
import type { Block } from './weight-blocks.js';

export interface WeightPart {
  /** First place that the part holds, along every axis that is divided. */
  readonly origin: ReadonlyMap<string, number>;
  /** Ranks that store it. */
  readonly ranks: readonly number[];
}

/** Each part once, in the order of the first rank that stores it. */
export function weightParts(plan: Plan, weight: Weight): WeightPart[] {
  const parts = new Map<string, { origin: ReadonlyMap<string, number>; ranks: number[] }>();
  for (let rank = 0; rank < plan.ranks; rank++) {
    const origin = new Map((weight.shard ?? []).map(({ axis, group }) => [axis, placeIn(plan, group, rank) * sizeOf(weight, axis)]));
    const key = JSON.stringify([...origin]);
    const part = parts.get(key) ?? { origin, ranks: [] };
    part.ranks.push(rank);
    parts.set(key, part);
  }
  return [...parts.values()];
}

/** Axes of the weight that the parts make up together. */
export function wholeAxes(plan: Plan, weight: Weight): { readonly name: string; readonly size: number }[] {
  return weight.axes.map(({ name, size }) => {
    const shard = weight.shard?.find((s) => s.axis === name);
    return { name, size: shard ? size * teamsOf(plan, shard.group)[0].length : size };
  });
}

/** A block of a part as a block of the whole weight; where its bytes go is still the part's. */
export function blockOfWhole(block: Block, { origin }: WeightPart): Block {
  const from = (axis: string): number => origin.get(axis) ?? 0;
  const whole = block.axes.map((a) => a.name).filter((name) => name !== block.along && from(name) > 0);
  return {
    ...block, fixed: new Map([...block.fixed].map(([axis, at]) => [axis, at + from(axis)])),
    start: block.start + (block.along === undefined ? 0 : from(block.along)), origin: new Map(whole.map((name) => [name, from(name)])),
  };
}

function sizeOf(weight: Weight, axis: string): number {
  const found = weight.axes.find((a) => a.name === axis);
  if (found === undefined) throw new Error(`weights: '${weight.path}' is divided along '${axis}', which it lacks`);
  return found.size;
}

function teamsOf(plan: Plan, group: string): readonly (readonly number[])[] {
  const found = plan.groups.find((g) => g.name === group);
  if (found === undefined) throw new Error(`weights: the plan has no group '${group}'`);
  return found.teams;
}

function placeIn(plan: Plan, group: string, rank: number): number {
  return teamsOf(plan, group).find((team) => team.includes(rank))!.indexOf(rank);
}
