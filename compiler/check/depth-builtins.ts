/** Lists of tensors, which carry a history over depth. */
import * as messages from '../../dsl/check-messages.js';
import { graphAxis } from './axis.js';
import type { Builtin, BuiltinArguments } from './builtins.js';
import { requireTensor } from './contract.js';
import { resolveAxis } from './dims.js';
import { spread } from './elementwise.js';
import { building, fail, place, tensor } from './frame.js';
import { rounded } from './instantiate.js';
import { describe, list, listItems, type Value } from './value.js';

function listArgument(a: BuiltinArguments): readonly Value[] {
  const given = a.value('list');
  return listItems(given) ?? fail(messages.wrongArgument('list', 'a list', describe(given), a.expr('list').span));
}

/** `push(past, x)`: the list with one more element; a tensor in it has a name, so it is rounded as one. */
function push(a: BuiltinArguments): Value {
  const x = a.value('x');
  return list([...listArgument(a), x.kind === 'tensor' ? rounded(a.frame, x) : x]);
}

/** `stack(past, axis: depth)`: tensors side by side on an axis as long as the list, in front of their own fixed axes. */
function stack(a: BuiltinArguments): Value {
  const parts = listArgument(a).map((value, i) => spread(a.frame, requireTensor(a.frame, { value, span: a.expr('list').span }, `element ${i} of the list`), a.span));
  const axis = resolveAxis(a.frame, a.expr('axis'));
  if (axis.size !== parts.length) fail(messages.stackLength(axis, parts.length, a.expr('axis').span));
  const builder = building(a.frame, a.span);
  const one = a.frame.run.axes.fresh(place(a.frame, a.span), 'one', 1);
  const rows = parts.map((p) => ({ value: builder.broadcast(a.frame.graph.use(p), graphAxis(one)), axis: one.name }));
  return tensor(a.frame, builder.concat(rows, axis.name), a.span, parts);
}

export const depthBuiltins: Readonly<Record<string, Builtin>> = {
  push: { parameters: ['list', 'x'], apply: push },
  stack: { parameters: ['list', 'axis'], apply: stack },
};
