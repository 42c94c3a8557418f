/**
 * Adds the choice of the next token to a module that gives logits.
 *
 *   return logits = %9            =>  return logits = %9, next = %19
 *   greedy (temperature 0):           next = argmax(z)
 *   else:                             next = argmax(z / temperature + gumbel), which draws from softmax(z / temperature)
 *   with top_k >= 1:                  the same among the ids that top-k and top-p keep
 *
 * In descending order of z (the lower id first among equals), top_k keeps the first top_k ids, top_p of those the
 * shortest prefix with at least this share of their softmax(z / temperature). 0 is no limit; top_p alone is given with
 * top_k = vocabulary.
 *
 * gumbel = -log(-log(uniform(hash(seed, counter)))) with counter = position * vocabulary + id: the draw depends on the
 * seed, the place in the sequence and nothing else, so that neither batching nor chunking changes a text.
 */
import { GraphBuilder } from '../ir/build.js';
import type { DType } from '../ir/dtype.js';
import { printType, withoutAxes } from '../ir/axes.js';
import type { Axis, Module, Value, ValueId } from '../ir/graph.js';
import { copyNode } from '../ir/rebuild.js';

/** Below every logit plus noise. */
const lowest = -3.4e38;

export interface SampleOptions {
  /** Output that holds the logits: one row axis and the vocabulary. */
  readonly logits?: string;
  /** Name of the output with the chosen ids, i32 per row. */
  readonly next?: string;
}

/** Needs the inputs `position` [tokens] and, unless every token's logits are given, `rows`; adds those of sampling where absent. */
export function sample(module: Module, options: SampleOptions = {}): Module {
  const { logits = 'logits', next = 'next' } = options;
  const { graph } = module;
  const b = new GraphBuilder(graph.name, { params: module.params, states: module.states });
  const values = new Map<ValueId, Value>();
  for (const { name, value } of graph.inputs) values.set(value.id, b.input(name, value.type));
  const named = (name: string): Value | undefined => { const i = graph.inputs.findIndex((input) => input.name === name); return i < 0 ? undefined : b.inputValue(i); };
  const one: Axis = { name: 'one', size: 1 };
  const control = (name: string, dtype: DType): Value => named(name) ?? b.input(name, { dtype, axes: [one] });
  const controls = { temperature: control('temperature', 'f32'), seed: control('seed', 'u32'), topK: control('top_k', 'i32'), topP: control('top_p', 'f32') };
  for (const node of graph.nodes) copyNode(node, node.operands.map((id) => values.get(id)!), b).forEach((v, i) => values.set(node.results[i].id, v));
  const outputs = graph.outputs.map((o) => ({ name: o.name, value: values.get(o.value)! }));
  const z = outputs.find((o) => o.name === logits)?.value;
  if (z === undefined) throw new Error(`sample: the graph has no output '${logits}'`);
  b.span = undefined;
  b.label = next;
  const number = (v: Value): Value => b.pick(v, v.type.axes[0].name, 0);
  const ids = chooseIds(b, z, {
    temperature: number(controls.temperature), seed: number(controls.seed), topK: controls.topK, topP: number(controls.topP), position: named('position'), rows: named('rows'),
  });
  return { ...module, graph: b.finish([...outputs, { name: next, value: ids }]) };
}

interface Controls { readonly temperature: Value; readonly seed: Value; readonly topK: Value; readonly topP: Value; readonly position: Value | undefined; readonly rows: Value | undefined }

/** Position of each row of the logits. */
function rowPositions(b: GraphBuilder, row: Axis, { position, rows }: Controls): Value {
  if (position === undefined) throw new Error("sample: the graph has no input 'position'");
  const [tokens] = position.type.axes;
  if (row.name === tokens.name) return position;
  if (rows === undefined || rows.type.axes[0].name !== row.name) throw new Error(`sample: no input says which tokens the rows '${row.name}' are`);
  return b.gather(position, rows, tokens.name);
}

function chooseIds(b: GraphBuilder, z: Value, controls: Controls): Value {
  if (z.type.axes.length !== 2) throw new Error(`sample: logits must have rows and a vocabulary, found ${printType(z.type)}`);
  // The one axis of fixed size is the vocabulary; rows are dynamic.
  const vocabulary = z.type.axes.find((a) => typeof a.size === 'number');
  if (vocabulary === undefined) throw new Error(`sample: no vocabulary in ${printType(z.type)}`);
  const [row] = withoutAxes(z.type.axes, [vocabulary.name]);
  const noisy = b.map('add', b.map('divide', z, controls.temperature), gumbel(b, vocabulary, rowPositions(b, row, controls), controls.seed));
  const drawn = b.map('select', kept(b, z, vocabulary, controls), noisy, b.scalar(lowest));
  const score = b.map('select', b.map('less', b.scalar(0), controls.temperature), drawn, z);
  return b.pick(b.top(score, vocabulary.name, 1, 'best'), 'best', 0);
}

/** Which ids may be drawn. Compares the logits themselves: what is computed of them may differ between two kernels. */
function kept(b: GraphBuilder, z: Value, vocabulary: Axis, { temperature, topK, topP }: Controls): Value {
  const last = b.nucleus(z, vocabulary.name, { k: topK, p: topP, temperature });
  const bound = b.gather(z, last, vocabulary.name);
  const among = b.map('and', b.map('equal', z, bound), b.map('less_equal', b.iota(vocabulary), last));
  return b.map('or', b.map('less', last, b.scalar(0, 'i32')), b.map('or', b.map('less', bound, z), among));
}

/** Standard Gumbel noise per row and id: the maximum of logits plus it is a draw from their softmax. */
function gumbel(b: GraphBuilder, vocabulary: Axis, position: Value, seed: Value): Value {
  const first = b.map('multiply', b.cast(position, 'u32'), b.scalar(vocabulary.size as number, 'u32'));
  const counter = b.map('add', first, b.iota(vocabulary, 'u32'));
  const uniform = b.map('uniform', b.map('hash', seed, counter));
  const log = (x: Value): Value => b.map('negate', b.map('log', x));
  return log(log(uniform));
}
