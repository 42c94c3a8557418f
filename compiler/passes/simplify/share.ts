/** Common subexpressions: a pure node equal to an earlier one of its graph is that one. */
import type { Node, Value } from '../../ir/graph.js';

const shared: ReadonlySet<Node['op']> = new Set([
  'param', 'const', 'iota', 'map', 'cast', 'rename', 'split', 'merge', 'slice', 'pick', 'concat', 'stack', 'broadcast', 'reduce', 'contract',
  'cumulate', 'top', 'nucleus', 'solve_lower', 'gather', 'scatter', 'stop_gradient', 'straight_through', 'fake_quantize', 'rank',
]);

/** Equal keys mean equal results; undefined for nodes that must stay apart (state, collectives, bodies). */
export function shareKey(node: Node, operands: readonly Value[]): string | undefined {
  if (!shared.has(node.op)) return undefined;
  const { results, span: _span, label: _label, operands: _operands, ...operation } = node;
  const declared = node.op === 'const' || node.op === 'iota' ? results[0].type : undefined;
  return JSON.stringify([operands.map((o) => o.id), operation, declared], distinctNumbers);
}

/** JSON alone would write infinities and NaN alike, and -0 as 0. */
function distinctNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return Object.is(value, -0) ? '-0' : String(value);
}
