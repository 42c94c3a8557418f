/** Which values depend on a parameter that learns, by a path along which gradients flow. */
import { isFloat } from '../../ir/dtype.js';
import type { Graph, Node, ParamDecl, ValueId } from '../../ir/graph.js';

/** Results that never carry a gradient to operands. `fake_quantize` is used under `straight_through`. */
const opaque: ReadonlySet<Node['op']> = new Set(['top', 'nucleus', 'stop_gradient', 'fake_quantize', 'iota', 'const', 'rank', 'state']);

/** `inputs[i]`: whether input i of the graph is active. */
export function activeValues(graph: Graph, params: readonly ParamDecl[], inputs: readonly boolean[]): ReadonlySet<ValueId> {
  const active = new Set<ValueId>(graph.inputs.filter((_, i) => inputs[i]).map((i) => i.value.id));
  for (const node of graph.nodes) {
    if (opaque.has(node.op)) continue;
    const results = activeResults(node, params, node.operands.map((id) => active.has(id)));
    node.results.forEach((r, i) => { if (results[i] && isFloat(r.type.dtype)) active.add(r.id); });
  }
  return active;
}

function activeResults(node: Node, params: readonly ParamDecl[], operands: readonly boolean[]): readonly boolean[] {
  if (node.op === 'param') return [!params[node.param].frozen];
  // Only the value passed through the mark carries on.
  if (node.op === 'straight_through') return [operands[1]];
  if (node.op !== 'repeat') return node.results.map(() => operands.includes(true));
  const { body, inside } = repeatActivity(node, params, operands);
  return node.body.outputs.map((o, i) => body.has(o.value) || (i < node.carries && inside[i]));
}

/**
 * `inside[i]`: whether body input i is active in some iteration; a carry is as soon as its initial or its next value is.
 */
export function repeatActivity(node: Extract<Node, { op: 'repeat' }>, params: readonly ParamDecl[], operands: readonly boolean[]): { readonly body: ReadonlySet<ValueId>; readonly inside: readonly boolean[] } {
  const inside = [...operands];
  for (;;) {
    const body = activeValues(node.body, params, inside);
    const more = node.body.outputs.flatMap((o, i) => (i < node.carries && body.has(o.value) && !inside[i] ? [i] : []));
    if (more.length === 0) return { body, inside };
    for (const i of more) inside[i] = true;
  }
}
