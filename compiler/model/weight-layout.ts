/**
 * Layout patterns of the `weights` section: how a stored tensor holds one or several parameters.
 *
 *   "(heads size) rank"               two stored axes; the first is heads * size, heads slowest
 *   "(heads (nope | value)) rank"     two parameters side by side within each head
 *   "(heads 3 size) d"                three parameters, interleaved by head
 *   "in out -> out in"                the parameter's axes in another order than stored
 *   "channels 1 taps"                 a stored axis of extent 1 that the parameter lacks
 *
 * Names are local to the pattern: they stand for the parameter's axes by position (in order of appearance, or as listed
 * after `->`). Every stored element belongs to exactly one parameter, so a pattern can be read in both directions.
 */
export type LayoutNode =
  | { readonly kind: 'axis'; readonly name: string }
  | { readonly kind: 'count'; readonly value: number }
  /** Row-major, first part slowest. */
  | { readonly kind: 'product'; readonly parts: readonly LayoutNode[] }
  /** One part per target, side by side. */
  | { readonly kind: 'sum'; readonly parts: readonly LayoutNode[] };

export interface Layout {
  /** One per axis of the stored tensor. */
  readonly axes: readonly LayoutNode[];
  /** Names in the order of the parameter's axes, if `->` was written. */
  readonly order?: readonly string[];
}

/** What is wrong with a pattern, for a message. */
export class LayoutError extends Error {}

/** Reads a pattern. Throws LayoutError. */
export function parseLayout(text: string): Layout {
  const tokens = text.match(/->|[()|]|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[^\s]/g) ?? [];
  let at = 0;
  const atoms = (): LayoutNode[] => {
    const out: LayoutNode[] = [];
    for (; at < tokens.length && !['|', ')', '->'].includes(tokens[at]); at++) {
      const token = tokens[at];
      if (token === '(') out.push(group());
      else if (/^[0-9]+$/.test(token) && Number(token) > 0) out.push({ kind: 'count', value: Number(token) });
      else if (/^[A-Za-z_]/.test(token)) out.push({ kind: 'axis', name: token });
      else throw new LayoutError(`'${token}' is neither a name nor a number of 1 or more`);
    }
    return out;
  };
  const group = (): LayoutNode => {
    const parts: LayoutNode[] = [];
    do {
      at++;
      const list = atoms();
      if (list.length === 0) throw new LayoutError('a part between parentheses is empty');
      parts.push(list.length === 1 ? list[0] : { kind: 'product', parts: list });
    } while (tokens[at] === '|');
    if (tokens[at] !== ')') throw new LayoutError(`a '(' is not closed`);
    return parts.length === 1 ? parts[0] : { kind: 'sum', parts };
  };
  const axes = atoms();
  if (axes.length === 0) throw new LayoutError('it names no axis');
  if (at < tokens.length && tokens[at] !== '->') throw new LayoutError(`'${tokens[at]}' stands outside parentheses`);
  if (tokens[at] !== '->') return { axes };
  return { axes, order: tokens.slice(at + 1) };
}

export interface SizedAxis { readonly name: string; readonly size: number }
export interface Window {
  readonly shape: readonly number[];
  readonly offset: number;
  /** In the order of the target's axes. */
  readonly axes: readonly { readonly name: string; readonly size: number; readonly stride: number }[];
}

/** One window per target (its axes, in order) on the stored tensor. Throws LayoutError if pattern and targets disagree. */
export function applyLayout(layout: Layout, targets: readonly (readonly SizedAxis[])[]): Window[] {
  const sizes = new Map<string, number>();
  const all = targets.flatMap((_, k) => leaves(layout.axes, k, targets.length));
  const orders = targets.map((axes, k) => {
    const names = leaves(layout.axes, k, targets.length);
    // What `->` lists is for all parameters; each has those of its own part.
    const order = layout.order?.filter((name) => names.includes(name)) ?? names;
    if (order.length !== names.length || layout.order?.some((name) => !all.includes(name))) throw new LayoutError(`the names after '->' are not those before it`);
    if (new Set(names).size !== names.length) throw new LayoutError('it uses a name twice');
    if (names.length !== axes.length) throw new LayoutError(`it gives ${names.length} ${names.length === 1 ? 'axis' : 'axes'} (${order.join(', ')}) to a parameter that has ${axes.length} (${axes.map((a) => a.name).join(', ')})`);
    axes.forEach((axis, i) => {
      const old = sizes.get(order[i]);
      if (old !== undefined && old !== axis.size) throw new LayoutError(`'${order[i]}' is ${old} for one parameter and ${axis.size} (${axis.name}) for another`);
      sizes.set(order[i], axis.size);
    });
    return order;
  });
  const shape = layout.axes.map((node) => extent(node, sizes));
  return targets.map((axes, k) => {
    const strides = new Map<string, number>();
    const offset = place({ kind: 'product', parts: layout.axes }, k, 1, sizes, strides);
    return { shape, offset, axes: axes.map((axis, i) => ({ ...axis, stride: strides.get(orders[k][i])! })) };
  });
}

/** The layout of a tensor that is stored as declared. */
export function plainWindow(axes: readonly SizedAxis[]): Window {
  const strides = axes.map((_, i) => axes.slice(i + 1).reduce((n, a) => n * a.size, 1));
  return { shape: axes.map((a) => a.size), offset: 0, axes: axes.map((axis, i) => ({ ...axis, stride: strides[i] })) };
}

/** Names that belong to target `k` of `count`, in order of appearance. */
function leaves(nodes: readonly LayoutNode[], k: number, count: number): string[] {
  return nodes.flatMap((node) => {
    switch (node.kind) {
      case 'axis': return [node.name];
      case 'count':
        if (node.value !== 1 && node.value !== count) throw new LayoutError(`the number ${node.value} must be 1 or the number of parameters, ${count}`);
        return [];
      case 'product': return leaves(node.parts, k, count);
      case 'sum':
        if (node.parts.length !== count) throw new LayoutError(`'|' separates ${node.parts.length} parts, but the rule has ${count} ${count === 1 ? 'parameter' : 'parameters'}`);
        return leaves([node.parts[k]], k, count);
    }
  });
}

function extent(node: LayoutNode, sizes: ReadonlyMap<string, number>): number {
  switch (node.kind) {
    case 'axis': return sizes.get(node.name)!;
    case 'count': return node.value;
    case 'product': return node.parts.reduce((n, part) => n * extent(part, sizes), 1);
    case 'sum': return node.parts.reduce((n, part) => n + extent(part, sizes), 0);
  }
}

/** Fills the strides of target `k` under a node whose neighbours are `stride` apart; returns its first element's offset. */
function place(node: LayoutNode, k: number, stride: number, sizes: ReadonlyMap<string, number>, strides: Map<string, number>): number {
  switch (node.kind) {
    case 'axis': strides.set(node.name, stride); return 0;
    case 'count': return node.value === 1 ? 0 : k * stride;
    case 'sum': {
      const before = node.parts.slice(0, k).reduce((n, part) => n + extent(part, sizes), 0);
      return before * stride + place(node.parts[k], k, stride, sizes, strides);
    }
    case 'product': {
      let offset = 0;
      let step = stride;
      for (const part of [...node.parts].reverse()) {
        offset += place(part, k, step, sizes, strides);
        step *= extent(part, sizes);
      }
      return offset;
    }
  }
}
