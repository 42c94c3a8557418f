/** `table theta[48] = ..`: one compile-time value per index. */
import type { TableStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { requireExtent } from './dims.js';
import { sizeOf } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { fail, type Frame } from './frame.js';
import { describe, list, listItems, type Value } from './value.js';

/** Values that nothing declares are names (`full`); one value stands for all; a shorter list repeats with `cycle`. */
export function declareTable(frame: Frame, s: TableStatement): void {
  const { name } = s.name;
  const count = evaluate(frame, s.extent);
  const number = count.kind === 'axis' ? sizeOf(count, s.extent.span) : count;
  if (number.kind !== 'number') fail(messages.notADim(name, describe(count), s.extent.span));
  const extent = requireExtent(number, name, s.extent.span);
  const inside: Frame = { ...frame, symbols: true };
  const cycle = s.value.kind === 'call' && s.value.callee.kind === 'name' && s.value.callee.name === 'cycle' && s.value.args.length === 1;
  const value = evaluate(inside, cycle && s.value.kind === 'call' ? s.value.args[0].value : s.value);
  const items = listItems(value);
  if (items === undefined) { frame.scope.set(name, list(new Array<Value>(extent).fill(value))); return; }
  if (!cycle && items.length !== extent) fail(messages.tableLength(name, extent, items.length, s.value.span));
  frame.scope.set(name, list(Array.from({ length: extent }, (_, i) => items[i % items.length])));
}
