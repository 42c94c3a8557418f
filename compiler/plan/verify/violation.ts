/** What the laws report with, and the little arithmetic they need; nothing here is shared with the planner. */
import type { DType } from '../../ir/dtype.js';
import type { Scalar } from '../../ir/kernel.js';
import type { Packing } from '../../ir/packing.js';

export type Law =
  | 'version' | 'hash' | 'dims' | 'groups' | 'buffers' | 'peak' | 'tables' | 'kernels' | 'arguments' | 'grid' | 'scope' | 'bounds' | 'pieces'
  | 'alignment' | 'view' | 'access' | 'overlap' | 'written' | 'table read' | 'dtype' | 'copy' | 'collective' | 'ports' | 'carries' | 'unused';

export interface Violation {
  readonly law: Law;
  /** `decode: steps[3].body[1] (attn_norm)`, or the part of the plan. */
  readonly where: string;
  readonly message: string;
}

/** Collects violations; what is broken in every iteration of a repeat is reported once. */
export class Report {
  readonly violations: Violation[] = [];
  private readonly seen = new Set<string>();

  add(law: Law, where: string, message: string): void {
    const key = `${law}|${where}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.violations.push({ law, where, message });
  }
}

export type Values = ReadonlyMap<string, number>;

/** NaN if the scalar needs anything but dims of `values`. */
export function scalarValue(s: Scalar, values: Values): number {
  switch (s.kind) {
    case 'int': return s.value;
    case 'dim': return values.get(s.name) ?? NaN;
    case 'var': case 'element': return NaN;
    default: break;
  }
  const a = scalarValue(s.a, values);
  const b = scalarValue(s.b, values);
  switch (s.kind) {
    case 'add': return a + b;
    case 'subtract': return a - b;
    case 'multiply': return a * b;
    case 'divide': return Math.floor(a / b);
    case 'mod': return a - b * Math.floor(a / b);
    case 'minimum': return Math.min(a, b);
    case 'maximum': return Math.max(a, b);
    case 'less': return Number(a < b);
  }
}

export function elementBytes(dtype: DType): number {
  switch (dtype) {
    case 'bf16': case 'f16': return 2;
    case 'f32': case 'i32': case 'u32': case 'bool': return 4;
  }
}

/** Bytes that `extents` (by axis name) take in a packing. */
export function bytesOf(dtype: DType, packing: Packing, extents: Values): number {
  const of = (name: string): number => extents.get(name) ?? NaN;
  let count = 1;
  switch (packing.kind) {
    case 'dense': for (const name of packing.order) count *= of(name); return count * elementBytes(dtype);
    case 'panel': for (const name of packing.order) count *= name === packing.lanes ? packing.width * Math.ceil(of(name) / packing.width) : of(name); return count * elementBytes(dtype);
    case 'int4': {
      const names = [...packing.order];
      const groups = Math.ceil(of(names.pop() ?? '') / packing.group);
      // Lanes need not be next to the grouped axis: a sum may run over two.
      for (const name of names) count *= name === packing.lanes ? packing.width * Math.ceil(of(name) / packing.width) : of(name);
      // Half a byte per code, two bytes per scale.
      return count * groups * (packing.group / 2 + 2);
    }
    case 'scaled': {
      const names = [...packing.order];
      const groups = Math.ceil(of(names.pop() ?? '') / packing.group);
      for (const name of names) count *= name === packing.lanes ? packing.width * Math.ceil(of(name) / packing.width) : of(name);
      // Codes of 8 bits with scales of 4 bytes, or of 4 bits with scales of one.
      return count * groups * (packing.code === 'e4m3' ? packing.group + 4 : packing.group / 2 + 1);
    }
    case 'int4-mma': {
      const names = [...packing.order];
      const blocks = Math.ceil(of(names.pop() ?? '') / 64) * Math.ceil(of(names.pop() ?? '') / 16);
      for (const name of names) count *= of(name);
      // 16 rows of 64 codes, and the scales of their groups.
      return count * blocks * (512 + (64 / packing.group) * 32);
    }
  }
}
