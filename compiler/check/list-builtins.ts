/** Builtins on lists that are known when the model is compiled: what tables per layer are written with. */
import * as messages from '../../dsl/check-messages.js';
import type { Builtin, BuiltinArguments } from './builtins.js';
import { sizeOf } from './elementwise.js';
import { fail } from './frame.js';
import { bool, describe, listItems, type Value } from './value.js';

/** `letters("M-M*")`: a list of strings of one character. */
function letters(a: BuiltinArguments): Value {
  const text = a.value('text');
  if (text.kind !== 'string') fail(messages.wrongArgument('text', 'a string', describe(text), a.expr('text').span));
  return { kind: 'list', items: [...text.value].map((value) => ({ kind: 'string', value })) };
}

/** `among(i, [3, 5, 8])`: whether the number is in the list; of a list, one answer per number. */
function among(a: BuiltinArguments): Value {
  const numbers = a.value('numbers');
  if (numbers.kind !== 'vector') fail(messages.wrongArgument('numbers', 'a list of numbers', describe(numbers), a.expr('numbers').span));
  const given = a.value('x');
  const x = given.kind === 'axis' ? sizeOf(given, a.span) : given;
  if (x.kind === 'number') return bool(numbers.data.includes(x.value));
  if (x.kind !== 'vector') fail(messages.wrongArgument('x', 'a number or a list of numbers', describe(x), a.expr('x').span));
  return { kind: 'list', items: x.data.map((v) => bool(numbers.data.includes(v))) };
}

/** `count(list)`: how many elements it has. */
function count(a: BuiltinArguments): Value {
  const given = a.value('list');
  const items = listItems(given);
  if (items === undefined) fail(messages.wrongArgument('list', 'a list', describe(given), a.expr('list').span));
  return { kind: 'number', value: items.length, exact: [items.length, 1] };
}

export const listBuiltins: Readonly<Record<string, Builtin>> = {
  letters: { parameters: ['text'], apply: letters },
  among: { parameters: ['x', 'numbers'], apply: among },
  count: { parameters: ['list'], apply: count },
};
