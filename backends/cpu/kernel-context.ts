/** State of emitting one kernel: the decisions about its tiles, names in scope and the text so far. */
import type { DType } from '../../compiler/ir/dtype.js';
import type { Program, Scalar, Tile, TileId, View } from '../../compiler/ir/kernel.js';
import type { DotForm, DotStatement } from './dot-form.js';
import type { Level } from './levels.js';
import type { LoadPlace } from './load-place.js';
import type { Placement } from './placement.js';
import { definitionOf, type ProgramIndex } from './program-index.js';
import { boundsOf, scalarText, type Bounds, type ScalarScope } from './scalar-text.js';
import type { SlotId } from './slots.js';

/** A stack array: elements at sum of coordinate * stride; an array without axes is a plain variable. */
export interface Slot { readonly name: string; readonly dtype: DType; readonly strides: ReadonlyMap<string, number>; readonly elements: number }

export interface Decisions {
  readonly program: Program;
  readonly index: ProgramIndex;
  readonly places: ReadonlyMap<TileId, Placement>;
  readonly slotOf: ReadonlyMap<TileId, SlotId>;
  /** Filled by `layOutSlots`. */
  readonly slots: Map<SlotId, Slot>;
  readonly forms: Map<DotStatement, DotForm>;
  readonly level: Level;
}

export class KernelContext implements ScalarScope {
  readonly lines: string[] = [];
  /** Microkernels that the text calls: name -> definition. */
  readonly microkernels = new Map<string, string>();
  readonly loads = new Map<TileId, LoadPlace>();
  readonly declared = new Set<string>();
  private readonly variables = new Map<string, { text: string; bounds: Bounds }>();
  /** Text of a scalar -> the constant in scope that holds it. */
  private hoisted = new Map<string, string>();
  private depth = 1;
  private serial = 0;

  constructor(readonly decisions: Decisions, private readonly dims: ReadonlyMap<string, { text: string; bounds: Bounds }>) {}

  line(text: string): void { this.lines.push('  '.repeat(this.depth) + text); }

  /** `head {` .. `}` around what `body` writes. */
  block(head: string, body: () => void): void {
    this.line(`${head}{`);
    this.depth++;
    const hoisted = new Map(this.hoisted);
    body();
    this.hoisted = hoisted;
    this.depth--;
    this.line('}');
  }

  /** The lines that `write` writes, taken out of the text. */
  capture(write: () => void): string[] {
    const mark = this.lines.length;
    this.depth++;
    const hoisted = new Map(this.hoisted);
    write();
    this.hoisted = hoisted;
    this.depth--;
    return this.lines.splice(mark);
  }

  fresh(prefix: string): string { return `${prefix}${this.serial++}`; }

  define(name: string, text: string, bounds: Bounds): void { this.variables.set(name, { text, bounds }); }

  variable(name: string): { text: string; bounds: Bounds } {
    const found = this.variables.get(name);
    if (!found) throw new Error(`cpu emitter: variable '${name}' of '${this.decisions.program.name}' is not in scope`);
    return found;
  }

  dim(name: string): { text: string; bounds: Bounds } {
    const found = this.dims.get(name);
    if (!found) throw new Error(`cpu emitter: '${this.decisions.program.name}' needs the dim '${name}', which the plan lacks`);
    return found;
  }

  element(view: string, at: readonly Scalar[]): string {
    const v = this.view(view);
    const places = at.map((s) => this.text(s));
    const conditions = at.flatMap((s, i) => this.outside(s, places[i], v.axes[i].extent));
    const strides = denseStrides(v);
    const offset = places.map((p, i) => (strides[i] === 1 ? p : `${p} * ${strides[i]}`)).join(' + ') || '0';
    const read = `(int64_t)${viewText(view)}[${offset}]`;
    return conditions.length === 0 ? read : `(${conditions.join(' && ')} ? ${read} : 0)`;
  }

  private outside(s: Scalar, text: string, extent: Scalar): string[] {
    const at = this.bounds(s);
    const limit = this.bounds(extent);
    return [...(at.lo < 0 ? [`${text} >= 0`] : []), ...(at.hi >= limit.lo ? [`${text} < ${this.text(extent)}`] : [])];
  }

  text(s: Scalar): string { return scalarText(s, this); }
  bounds(s: Scalar): Bounds { return boundsOf(s, this); }

  /** A name or number for a scalar, computed once where this is called. */
  hoist(s: Scalar, prefix: string): string {
    const text = this.text(s);
    if (/^(\w+|-?\d+)$/.test(text)) return text;
    const old = this.hoisted.get(text);
    if (old) return old;
    const name = this.fresh(prefix);
    this.line(`const int64_t ${name} = ${text};`);
    this.hoisted.set(text, name);
    return name;
  }

  view(name: string): View {
    const view = this.decisions.program.views.find((v) => v.name === name);
    if (!view) throw new Error(`cpu emitter: '${this.decisions.program.name}' has no view '${name}'`);
    return view;
  }

  tile(id: TileId): Tile { return definitionOf(this.decisions.index, id).tile; }
  placement(id: TileId): Placement { return this.decisions.places.get(id) ?? 'inline'; }

  /** The memory of a kept tile, if its layout is decided. */
  slotIfKnown(id: TileId): Slot | undefined { return this.decisions.slots.get(this.decisions.slotOf.get(id) ?? -1); }

  slot(id: TileId): Slot {
    const slot = this.slotIfKnown(id);
    if (!slot) throw new Error(`cpu emitter: tile ${id} has no memory`);
    return slot;
  }
}

/** C++ name of the pointer to a view. */
export function viewText(view: string): string {
  return `p_${identifier(view)}`;
}

export function identifier(name: string): string {
  return name.replace(/\W/g, '_');
}

/** Strides in elements of a dense view; all extents but the outermost are static. */
export function denseStrides(view: View): number[] {
  if (view.strides) return [...view.strides];
  const out = view.axes.map(() => 1);
  for (let i = view.axes.length - 2; i >= 0; i--) {
    const extent = view.axes[i + 1].extent;
    if (extent.kind !== 'int') throw new Error(`cpu emitter: extent of axis '${view.axes[i + 1].name}' of view '${view.name}' is dynamic but not outermost`);
    out[i] = out[i + 1] * extent.value;
  }
  return out;
}
