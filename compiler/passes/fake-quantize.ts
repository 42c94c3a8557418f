/**
 * Quantisation-aware training: parameters that will be stored with few bits are used as those bits will represent them,
 * while their gradient goes to the full-precision value.
 *
 *   %1 = param 3      (stored as int4)
 *   =>  %1 = param 3;  %2 = fake_quantize int4 (%1);  %3 = straight_through(%2, %1)
 *   uses of %1        =>  uses of %3
 */
import type { Module } from '../ir/graph.js';
import { copyNode, rebuildModule } from '../ir/rebuild.js';

export function fakeQuantize(module: Module): Module {
  return rebuildModule(module, () => (node, operands, b) => {
    if (node.op !== 'param') return undefined;
    const { storage } = module.params[node.param];
    if (storage.kind === 'plain') return undefined;
    const [value] = copyNode(node, operands, b);
    return [b.straightThrough(b.fakeQuantize(value, storage), value)];
  });
}
