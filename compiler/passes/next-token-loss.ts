/**
 * Adds the loss of language modelling: mean cross-entropy of the target ids under the logits.
 *
 *   return logits = %9   =>   return logits = %9, loss = %20    (and an input `targets`)
 *   loss = mean over rows with target >= 0 of (log sum exp(z) - z[target])
 */
import { printType, withoutAxes } from '../ir/axes.js';
import { GraphBuilder } from '../ir/build.js';
import type { Axis, Module, Value, ValueId } from '../ir/graph.js';
import { copyNode } from '../ir/rebuild.js';

export interface LossOptions { readonly logits?: string; readonly targets?: string; readonly loss?: string }

/** Logits must have one row axis of dynamic size and the vocabulary; `targets` is i32 on the row axis, -1 where a row does not count. */
export function nextTokenLoss(module: Module, options: LossOptions = {}): Module {
  const { logits = 'logits', targets = 'targets', loss = 'loss' } = options;
  const { graph } = module;
  const b = new GraphBuilder(graph.name, { params: module.params, states: module.states });
  const values = new Map<ValueId, Value>();
  for (const { name, value } of graph.inputs) values.set(value.id, b.input(name, value.type));
  const output = graph.outputs.find((o) => o.name === logits);
  if (output === undefined) throw new Error(`next-token-loss: the graph has no output '${logits}'`);
  const { type } = [...graph.inputs.map((i) => i.value), ...graph.nodes.flatMap((n) => n.results)].find((v) => v.id === output.value)!;
  const vocabulary = type.axes.find((a) => typeof a.size === 'number');
  if (vocabulary === undefined || type.axes.length !== 2) throw new Error(`next-token-loss: logits must have rows and a vocabulary, found ${printType(type)}`);
  const [row] = withoutAxes(type.axes, [vocabulary.name]);
  const wanted = b.input(targets, { dtype: 'i32', axes: [row] });
  for (const node of graph.nodes) copyNode(node, node.operands.map((id) => values.get(id)!), b).forEach((v, i) => values.set(node.results[i].id, v));
  const outputs = graph.outputs.map((o) => ({ name: o.name, value: values.get(o.value)! }));
  b.span = undefined;
  b.label = loss;
  return { ...module, graph: b.finish([...outputs, { name: loss, value: crossEntropy(b, values.get(output.value)!, wanted, row, vocabulary) }]) };
}

function crossEntropy(b: GraphBuilder, z: Value, targets: Value, row: Axis, vocabulary: Axis): Value {
  const largest = b.stopGradient(b.reduce(z, 'maximum', [vocabulary.name]));
  const sum = b.reduce(b.map('exp', b.map('subtract', z, largest)), 'add', [vocabulary.name]);
  const chosen = b.cast(b.gather(z, targets, vocabulary.name), 'f32');
  const each = b.map('subtract', b.map('add', b.map('log', sum), largest), chosen);
  const counts = b.cast(b.map('less_equal', b.scalar(0, 'i32'), targets), 'f32');
  const count = b.map('maximum', b.reduce(counts, 'add', [row.name]), b.scalar(1));
  return b.map('divide', b.contract(counts, each, [row.name]), count);
}
