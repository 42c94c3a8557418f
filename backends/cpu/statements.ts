/** Statements of tile programs as C++. */
import type { Statement, Tile, TileId } from '../../compiler/ir/kernel.js';
import { contiguousAxes, innermostAxis, withLast } from './axis-structure.js';
import type { Coordinate } from './coordinate.js';
import { addCoordinates, constantAt, printCoordinate, variableAt } from './coordinate.js';
import { emitDot } from './dot.js';
import { castText, cType, literal, type Value } from './expression.js';
import { denseStrides, viewText, type KernelContext, type Slot } from './kernel-context.js';
import { insideConditions, offsetAt, placeAccess, positionConditions, storedText, type LoadPlace } from './load-place.js';
import { emitNest, type NestAxis } from './nest.js';
import { carriedReads } from './slots.js';
import { only, type Coordinates, type Point } from './point.js';
import type { Carry, Defining, ForStatement } from './program-index.js';

export function emitBody(k: KernelContext, body: readonly Statement[]): void {
  for (const s of body) emitStatement(k, s);
}

function emitStatement(k: KernelContext, s: Statement): void {
  switch (s.op) {
    case 'load':
      k.loads.set(s.out.id, placeAccess(k, k.view(s.view), s.at, s.fill));
      return materialise(k, s);
    case 'map': case 'rename': case 'split': case 'merge': case 'slice': case 'concat': return materialise(k, s);
    case 'iota': case 'scalar': case 'full': return;
    case 'store': return emitStore(k, s);
    case 'dot': return emitDot(k, s);
    case 'reduce': return emitReduce(k, s);
    case 'cumulate': return emitCumulate(k, s);
    case 'let': return k.line(`const int64_t ${k.variable(s.name).text} = ${k.text(s.value)};`);
    case 'for': return emitFor(k, s);
    case 'if': return k.block(`if (${k.text(s.condition)}) `, () => emitBody(k, s.body));
  }
}

/** Writes the declaration of a kept tile's memory unless it stands already. */
export function declare(k: KernelContext, id: TileId): void {
  const slot = k.slot(id);
  if (k.declared.has(slot.name)) return;
  k.declared.add(slot.name);
  declareArray(k, slot);
}

function declareArray(k: KernelContext, slot: Slot): void {
  if (slot.strides.size === 0) k.line(`${cType(slot.dtype)} ${slot.name};`);
  else k.line(`alignas(64) ${cType(slot.dtype)} ${slot.name}[${slot.elements}];`);
}

/** Axes of a slot, outermost in memory first. */
function slotAxes(slot: Slot, shape: Tile['shape']): NestAxis[] {
  return [...slot.strides].sort((a, b) => b[1] - a[1]).map(([name]) => shape.find((a) => a.name === name)!);
}

/** Fills the memory of the tile that `s` defines, if it is kept. */
function materialise(k: KernelContext, s: Defining): void {
  if (k.placement(s.out.id) === 'inline') return;
  declare(k, s.out.id);
  const roots = s.op === 'map' ? s.args : [];
  fill(k, s.out, k.slot(s.out.id), roots, (point, at) => point.define(s, at));
}

/** slot[..] = value at every coordinate. */
export function fill(k: KernelContext, tile: Tile, slot: Slot, roots: readonly TileId[], value: (point: Point, at: Coordinates) => Value): void {
  emitNest(k, {
    axes: slotAxes(slot, tile.shape), roots,
    body: (point, at) => {
      const v = value(point, at);
      k.line(`${elementOf(slot, at)} = ${castText(v, tile.dtype)};`);
    },
  });
}

export function elementOf(slot: Slot, at: Coordinates): string {
  if (slot.strides.size === 0) return slot.name;
  const offset = [...slot.strides].reduce<Coordinate>((sum, [axis, stride]) => addCoordinates(sum, scale(at.get(axis)!, stride)), constantAt(0));
  return `${slot.name}[${printCoordinate(offset)}]`;
}

function scale(c: Coordinate, by: number): Coordinate {
  return { terms: c.terms.map((t) => ({ ...t, factor: t.factor * by })), constant: c.constant * by };
}

type Store = Extract<Statement, { op: 'store' }>;

/** Ranges are clipped to the view instead of testing each element. */
function emitStore(k: KernelContext, s: Store): void {
  const view = k.view(s.view);
  const place = placeAccess(k, view, s.at, 0);
  const shape = k.tile(s.value).shape;
  const points = place.axes.filter((a) => a.kind === 'point').flatMap(insideConditions);
  const implied = new Set<string>();
  const write = (): void => {
    const axes = storeOrder(k, s, place, shape).map((axis) => clip(k, axis, place, implied));
    emitNest(k, { axes, roots: [s.value, ...(s.where === undefined ? [] : [s.where])], implied, simd: scatters(k, s, place) ? 'serial' : '', body: (point, at) => storeElement(k, s, place, point, at) });
  };
  if (points.length > 0) k.block(`if (${points.join(' && ')}) `, write);
  else k.block('', write);
}

/** An index tile along the innermost loop gives addresses that do not vectorise. */
function scatters(k: KernelContext, s: Store, place: LoadPlace): boolean {
  const last = storeOrder(k, s, place, k.tile(s.value).shape).at(-1)?.name;
  return place.axes.some((a) => a.tile !== undefined && k.tile(a.tile).shape.some((x) => x.name === last));
}

function storeElement(k: KernelContext, s: Store, place: LoadPlace, point: Point, at: Coordinates): void {
  const { view } = place;
  const conditions: string[] = [];
  let outside = false;
  const positions = place.axes.map((a) => {
    const position = point.position(a.tile, a.axis, a.start, at);
    if (a.tile === undefined) return position;
    const own = point.indexConditions(a.tile, positionConditions(position, a), at);
    conditions.push(...own.tests);
    outside ||= own.outside;
    return position;
  });
  if (outside) return;
  if (s.where !== undefined) conditions.push(point.value(s.where, only(k, s.where, at)).text);
  const write = (): void => {
    const value = point.value(s.value, only(k, s.value, at));
    const widened: Value = { text: castText(value, view.dtype === 'bf16' || view.dtype === 'f16' ? 'f32' : view.dtype), dtype: view.dtype };
    k.line(`${viewText(view.name)}[${printCoordinate(offsetAt(k, view, positions))}] = ${storedText(view, widened)};`);
  };
  if (conditions.length > 0) k.block(`if (${conditions.join(' && ')}) `, write);
  else write();
}

/** Axes of the stored tile by the distance of their elements in the view, the nearest innermost. */
function storeOrder(k: KernelContext, s: Store, place: LoadPlace, shape: Tile['shape']): Tile['shape'][number][] {
  const strides = denseStrides(place.view);
  const distance = (name: string): number => Math.max(0, ...place.axes.map((a, i) => (a.axis === name || (a.tile !== undefined && k.tile(a.tile).shape.some((x) => x.name === name)) ? strides[i] ?? Infinity : 0)));
  const order = [...shape].sort((a, b) => distance(b.name) - distance(a.name));
  return order.length > 0 && distance(order[order.length - 1].name) > 1 ? withLast(order, innermostAxis(contiguousAxes(k, s.value), order)) : order;
}

function clip(k: KernelContext, axis: Tile['shape'][number], place: LoadPlace, implied: Set<string>): NestAxis {
  const range = place.axes.find((a) => a.axis === axis.name);
  const conditions = range ? insideConditions(range) : [];
  if (!range || conditions.length === 0) return axis;
  conditions.forEach((c) => implied.add(`${axis.name}|${c}`));
  const start = printCoordinate(range.start);
  const [lo, hi] = [k.fresh('lo'), k.fresh('hi')];
  k.line(`const int ${lo} = (int)clamp64(-(${start}), 0, ${axis.size});`);
  k.line(`const int ${hi} = (int)clamp64(${range.limit} - (${start}), 0, ${axis.size});`);
  return { ...axis, lo, hi };
}

const identities = { add: 0, maximum: -Infinity, minimum: Infinity } as const;
const integerIdentities = { add: 0, maximum: -(2 ** 31), minimum: 2 ** 31 - 1 } as const;

function emitReduce(k: KernelContext, s: Extract<Statement, { op: 'reduce' }>): void {
  declare(k, s.out.id);
  const { dtype } = s.out;
  const shape = k.tile(s.value).shape;
  const identity = dtype === 'u32' ? (s.fn === 'minimum' ? 2 ** 32 - 1 : 0) : dtype === 'i32' ? integerIdentities[s.fn] : identities[s.fn];
  const over = shape.filter((a) => s.over.includes(a.name));
  const inner = innermostAxis(contiguousAxes(k, s.value), shape);
  const slot = k.slot(s.out.id);
  const combine = (target: string, v: Value): void => k.line(`${target} = ${combined(s.fn, target, v.text)};`);
  if (s.out.shape.some((a) => a.name === inner)) {
    fill(k, s.out, slot, [], () => ({ text: literal(identity, dtype), dtype }));
    const outer = s.out.shape.filter((a) => a.name !== inner);
    const axes = [...outer, ...over, ...s.out.shape.filter((a) => a.name === inner)];
    emitNest(k, { axes, roots: [s.value], body: (point, at) => combine(elementOf(slot, at), point.value(s.value, at)) });
    return;
  }
  emitNest(k, {
    axes: s.out.shape, roots: [], simd: 'serial',
    body: (_, outerAt) => {
      const name = k.fresh('r');
      k.line(`${cType(dtype)} ${name} = ${literal(identity, dtype)};`);
      const clause = { add: '+', maximum: 'max', minimum: 'min' }[s.fn];
      emitNest(k, { axes: withLast(over, inner), roots: [s.value], simd: `reduction(${clause}: ${name})`, body: (point, at) => combine(name, point.value(s.value, new Map([...outerAt, ...at]))) });
      k.line(`${elementOf(slot, outerAt)} = ${name};`);
    },
  });
}

function combined(fn: 'add' | 'maximum' | 'minimum', a: string, b: string): string {
  return fn === 'add' ? `${a} + ${b}` : fn === 'maximum' ? `${a} > ${b} ? ${a} : ${b}` : `${a} < ${b} ? ${a} : ${b}`;
}

function emitCumulate(k: KernelContext, s: Extract<Statement, { op: 'cumulate' }>): void {
  declare(k, s.out.id);
  const axis = s.out.shape.find((a) => a.name === s.axis)!;
  const others = s.out.shape.filter((a) => a.name !== s.axis);
  const type = cType(s.out.dtype);
  emitNest(k, {
    axes: others, roots: [], simd: 'serial',
    body: (_, outerAt) => {
      const name = k.fresh('r');
      k.line(`${type} ${name} = 0;`);
      const i = k.fresh('i');
      k.block(`for (int ${i} = ${s.reverse ? axis.size - 1 : 0}; ${s.reverse ? `${i} >= 0; --${i}` : `${i} < ${axis.size}; ++${i}`}) `, () => {
        emitNest(k, { axes: [], roots: [], body: (point) => {
          const at = new Map([...outerAt, [s.axis, variableAt(i, { lo: 0, hi: axis.size - 1 })]]);
          k.line(`${name} += ${point.value(s.value, at).text};`);
          k.line(`${elementOf(k.slot(s.out.id), at)} = ${name};`);
        } });
      });
    },
  });
}

/** Carries live in their slots; what could not be updated in place is copied at the end of each iteration. */
function emitFor(k: KernelContext, s: ForStatement): void {
  for (const c of s.carries) {
    declare(k, c.inside.id);
    if (k.placement(c.initial) === 'inline' || k.slot(c.initial) !== k.slot(c.inside.id)) copy(k, c.initial, c.inside);
  }
  const { text } = k.variable(s.variable);
  k.block(`for (int64_t ${text} = ${k.text(s.lo)}; ${text} < ${k.text(s.hi)}; ${text} += ${s.step}) `, () => {
    emitBody(k, s.body);
    moveCarries(k, s.carries.filter((c) => k.placement(c.next) === 'inline' || k.slot(c.next) !== k.slot(c.inside.id)));
  });
}

/** Writes the next values over the old ones; a value that others still need, or that it needs elsewhere, waits in an array. */
function moveCarries(k: KernelContext, carries: readonly Carry[]): void {
  const { index, places } = k.decisions;
  const waiting = [...carries];
  const last: (() => void)[] = [];
  while (waiting.length > 0) {
    const reads = waiting.map((c) => carriedReads(c.next, index, places));
    const free = waiting.findIndex((c, i) => reads.every((list, j) => list.every((r) => r.tile !== c.inside.id || (i === j && r.elementwise))));
    const [c] = waiting.splice(Math.max(0, free), 1);
    if (free >= 0) { copy(k, c.next, c.inside); continue; }
    const held: Slot = { ...k.slot(c.inside.id), name: k.fresh('c') };
    declareArray(k, held);
    fill(k, c.inside, held, [c.next], (point, at) => point.value(c.next, only(k, c.next, at)));
    last.push(() => fill(k, c.inside, k.slot(c.inside.id), [], (_, at) => ({ text: elementOf(held, at), dtype: c.inside.dtype })));
  }
  last.forEach((move) => move());
}

/** Evaluates tile `from` into the memory of `to`, which has the same axes. */
export function copy(k: KernelContext, from: TileId, to: Tile): void {
  fill(k, to, k.slot(to.id), [from], (point, at) => point.value(from, only(k, from, at)));
}
