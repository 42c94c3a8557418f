/** State of emitting one kernel: the decisions about its tiles, names in scope and the text so far. */
import type { DType } from '../../compiler/ir/dtype.js';
import type { Program, Scalar, Tile, TileId, View } from '../../compiler/ir/kernel.js';
import type { DotForm, DotStatement } from './dot-form.js';
import type { Level } from './levels.js';
import type { LoadPlace } from './load-place.js';
import type { Placement } from './placement.js';
import { definitionOf, type ProgramIndex } from './program-index.js';
import { boundsOf, scalarText, strictLimit, type Bounds, type ScalarScope } from './scalar-text.js';
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
  private readonly variables = new Map<string, { text: string; bounds: Bounds; below?: Scalar }>();
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
  capture(write: () => void, indent = 1): string[] {
    const mark = this.lines.length;
    this.depth += indent;
    const hoisted = new Map(this.hoisted);
    write();
    this.hoisted = hoisted;
    this.depth -= indent;
    return this.lines.splice(mark);
  }

  fresh(prefix: string): string { return `${prefix}${this.serial++}`; }

  /** `below`: a scalar that the variable is always less than. */
  define(name: string, text: string, bounds: Bounds, below?: Scalar): void { this.variables.set(name, { text, bounds, below }); }

  /** Whether `s` < `limit` follows from what `s` is, whatever the dims are. */
  isBelow(s: Scalar, limit: Scalar): boolean {
    const below = s.kind === 'var' ? this.variables.get(s.name)?.below : strictLimit(s);
    return this.bounds(s).hi < this.bounds(limit).lo || (below !== undefined && JSON.stringify(below) === JSON.stringify(limit));
  }

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
    const offset = v.strides
      ? places.map((p, i) => `${p} * ${v.strides![i]}`).join(' + ')
      : places.reduce((sum, p, i) => (i === 0 ? p : `(${sum}) * ${this.text(v.axes[i].extent)} + ${p}`), '0');
    const read = `(int64_t)${viewText(view)}[${offset}]`;
    return conditions.length === 0 ? read : `(${conditions.join(' && ')} ? ${read} : 0)`;
  }

  private outside(s: Scalar, text: string, extent: Scalar): string[] {
    return [...(this.bounds(s).lo < 0 ? [`${text} >= 0`] : []), ...(this.isBelow(s, extent) ? [] : [`${text} < ${this.text(extent)}`])];
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
  return name.replace(/\W/g, (c) => `_${c.charCodeAt(0).toString(16)}`);
}

/** Strides in elements of a dense view; undefined where an inner extent is dynamic. */
export function denseStrides(view: View): (number | undefined)[] {
  if (view.strides) return [...view.strides];
  const out: (number | undefined)[] = view.axes.map(() => 1);
  for (let i = view.axes.length - 2; i >= 0; i--) {
    const extent = view.axes[i + 1].extent;
    const inner = out[i + 1];
    out[i] = extent.kind === 'int' && inner !== undefined ? inner * extent.value : undefined;
  }
  return out;
}
