/** An entry's steps with repeats unrolled: launches and copies at fixed bytes of fixed buffers. */
import type { Plan, Region, Step } from '../../compiler/ir/plan.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import { DeviceError } from '../device.js';

/** Bytes [offset, offset + bytes) of a plan's buffer. */
export interface Place { readonly buffer: string; readonly offset: number; readonly bytes: number }
export type FlatStep =
  | { readonly kind: 'launch'; readonly kernel: string; readonly args: readonly Place[]; readonly grid: readonly Scalar[] }
  | { readonly kind: 'copy'; readonly from: Place; readonly to: Place; readonly bytes: Scalar };

export function unrollEntry(plan: Plan, entry: string): FlatStep[] {
  const out: FlatStep[] = [];
  const visit = (steps: readonly Step[], variables: ReadonlyMap<string, number>): void => {
    for (const s of steps) {
      switch (s.kind) {
        case 'launch': out.push({ kind: 'launch', kernel: s.kernel, args: s.args.map((r) => placeOf(r, variables)), grid: s.grid }); break;
        case 'copy': out.push({ kind: 'copy', from: placeOf(s.from, variables), to: placeOf(s.to, variables), bytes: s.bytes }); break;
        case 'repeat':
          for (let i = 0; i < s.count; i++) visit(s.body, new Map([...variables, [s.variable, s.reverse ? s.count - 1 - i : i]]));
          break;
        case 'collective': throw new DeviceError('D24', `entry '${entry}' exchanges data between ranks (${s.op} over '${s.group}')`, 'compile for one rank, or run on the reference device');
      }
    }
  };
  visit(plan.entries.find((e) => e.name === entry)!.steps, new Map());
  return out;
}

function placeOf(region: Region, variables: ReadonlyMap<string, number>): Place {
  const offset = region.offset.terms.reduce((sum, t) => sum + variables.get(t.variable)! * t.stride, region.offset.base);
  return { buffer: region.buffer, offset, bytes: region.bytes };
}
