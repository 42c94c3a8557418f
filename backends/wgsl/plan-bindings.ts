/**
 * Chooses the bindings of one launch under WebGPU's rules: a buffer is either read or written in a dispatch, writable
 * ranges do not overlap, ranges start at multiples of 256 bytes, and there are at most 8 of them.
 */
import type { Program } from '../../compiler/ir/kernel.js';
import type { BoundView, KernelBindings } from './bindings.js';

/** What a view is bound to: bytes of one GPU buffer, named by `buffer`. */
export interface BoundPlace { readonly buffer: string; readonly offset: number; readonly bytes: number }

export interface BindingRange { readonly buffer: string; readonly offset: number; readonly bytes: number }
export interface LaunchBindings {
  readonly kernel: KernelBindings;
  /** What each storage binding covers. */
  readonly ranges: readonly BindingRange[];
  /** Start of each view that has one, in words from its range's start, in the order of the views. */
  readonly starts: readonly number[];
}

const alignment = 256;
const maxStorageBuffers = 8;
/** Bytes of four words, the largest element of an array. */
const vector = 16;

interface Group { readonly buffer: string; readonly access: BoundView['access']; from: number; to: number; readonly views: number[] }

export function bindLaunch(program: Program, places: readonly BoundPlace[], dims: readonly string[]): LaunchBindings {
  const written = new Set(program.views.flatMap((v, i) => (v.access === 'read' ? [] : [places[i].buffer])));
  const groups: Group[] = [];
  places.forEach((p, i) => {
    if (p.offset % 4 !== 0) throw new Error(`wgsl: view '${program.views[i].name}' of '${program.name}' starts at byte ${p.offset} of '${p.buffer}', which is not a multiple of 4`);
    const from = Math.floor(p.offset / alignment) * alignment;
    const to = Math.ceil((p.offset + Math.max(1, p.bytes)) / vector) * vector;
    groups.push({ buffer: p.buffer, access: written.has(p.buffer) ? 'read_write' : 'read', from, to, views: [i] });
  });
  joinWhile(groups, (a, b) => a.access === 'read_write' && a.from < b.to && b.from < a.to);
  // Too many: give up separate ranges of one buffer, nearest first.
  while (groups.length > maxStorageBuffers && joinNearest(groups));
  if (groups.length > maxStorageBuffers) {
    throw new Error(`wgsl: kernel '${program.name}' touches ${groups.length} different buffers at once, a device binds ${maxStorageBuffers}`);
  }
  const views = places.map((p, i): BoundView => {
    const binding = groups.findIndex((g) => g.views.includes(i));
    return { binding, access: groups[binding].access, offset: p.offset === groups[binding].from ? 'none' : 'words' };
  });
  return {
    kernel: { views, dims },
    ranges: groups.map((g) => ({ buffer: g.buffer, offset: g.from, bytes: g.to - g.from })),
    starts: places.flatMap((p, i) => (views[i].offset === 'words' ? [(p.offset - groups[views[i].binding].from) / 4] : [])),
  };
}

/** Joins groups of one buffer as long as two satisfy `wanted`. */
function joinWhile(groups: Group[], wanted: (a: Group, b: Group) => boolean): void {
  for (let again = true; again;) {
    again = false;
    for (let i = 0; i < groups.length && !again; i++) for (let j = i + 1; j < groups.length && !again; j++) {
      if (groups[i].buffer !== groups[j].buffer || !wanted(groups[i], groups[j])) continue;
      join(groups, i, j);
      again = true;
    }
  }
}

function joinNearest(groups: Group[]): boolean {
  let best: { i: number; j: number; span: number } | undefined;
  for (let i = 0; i < groups.length; i++) for (let j = i + 1; j < groups.length; j++) {
    if (groups[i].buffer !== groups[j].buffer) continue;
    const span = Math.max(groups[i].to, groups[j].to) - Math.min(groups[i].from, groups[j].from);
    if (best === undefined || span < best.span) best = { i, j, span };
  }
  if (best === undefined) return false;
  join(groups, best.i, best.j);
  joinWhile(groups, (a, b) => a.access === 'read_write' && a.from < b.to && b.from < a.to);
  return true;
}

function join(groups: Group[], i: number, j: number): void {
  const [a, b] = [groups[i], groups[j]];
  a.from = Math.min(a.from, b.from);
  a.to = Math.max(a.to, b.to);
  a.views.push(...b.views);
  groups.splice(j, 1);
}
