import type { WeightSource } from '../compiler/ir/weight-sources.js';

/**
 * A layout pattern with which a tensor of `shape` would hold the parameter: its axes in another order, or neighbours of
 * them merged. Undefined if there is none, or if the parameter shares the tensor with others.
 */
export function fittingLayout(source: WeightSource, shape: readonly number[]): string | undefined {
  const axes = source.axes.map((a, i) => ({ name: /^[A-Za-z_]\w*$/.test(a.name) ? a.name : `a${i}`, size: a.size }));
  const elements = axes.reduce((n, a) => n * a.size, 1);
  if (axes.length > 5 || shape.reduce((n, s) => n * s, 1) !== elements) return undefined;
  for (const order of orders(axes)) {
    const pattern = grouped(order, shape);
    if (pattern === undefined) continue;
    const moved = order.some((a, i) => a !== axes[i]);
    return moved ? `${pattern} -> ${axes.map((a) => a.name).join(' ')}` : pattern;
  }
  return undefined;
}

interface Sized { readonly name: string; readonly size: number }

/** All orders, that of the parameter first. */
function orders(axes: readonly Sized[]): Sized[][] {
  if (axes.length === 0) return [[]];
  return axes.flatMap((first, i) => orders([...axes.slice(0, i), ...axes.slice(i + 1)]).map((rest) => [first, ...rest]));
}

/** Neighbours merged so that their products are the extents of `shape`; 1 where the parameter has no axis for one. */
function grouped(axes: readonly Sized[], shape: readonly number[]): string | undefined {
  const parts: string[] = [];
  let at = 0;
  for (const extent of shape) {
    const names: string[] = [];
    let product = 1;
    while (at < axes.length && product < extent) {
      product *= axes[at].size;
      names.push(axes[at++].name);
    }
    if (product !== extent) return undefined;
    parts.push(names.length === 0 ? '1' : names.length === 1 ? names[0] : `(${names.join(' ')})`);
  }
  return at === axes.length ? parts.join(' ') : undefined;
}
