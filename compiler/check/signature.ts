/** What a graph does, as text: equal texts, equal graphs, up to spans, the index in paths, and constants' numbers. */
import type { Axis, Graph, Node, TensorType } from '../ir/graph.js';
import type { Elaboration } from './frame.js';

function dims(axes: readonly Axis[]): string {
  return axes.map((a) => `${a.name}:${typeof a.size === 'number' ? a.size : JSON.stringify(a.size)}`).join();
}

function typeText(t: TensorType): string {
  return `${t.dtype}[${dims(t.axes)}]`;
}

/** `prefix` (`layers[3]`) is what differs between iterations in the paths of parameters and states. */
export function signature(graph: Graph, run: Elaboration, prefix: string, foreign: (path: string) => string = (path) => path): string {
  const erase = (path: string): string => (path.startsWith(prefix) ? `*${path.slice(prefix.length)}` : path);
  const nodes = graph.nodes.map((n) => `${nodeText(n, run, prefix, erase, foreign)}(${n.operands.join()})${n.results.map((r) => `${r.id}${typeText(r.type)}`).join()}`);
  const inputs = graph.inputs.map((i) => `${i.value.id}${typeText(i.value.type)}`);
  return `${inputs.join()}|${nodes.join('\n')}|${graph.outputs.map((o) => o.value).join()}`;
}

function nodeText(n: Node, run: Elaboration, prefix: string, erase: (path: string) => string, foreign: (path: string) => string): string {
  switch (n.op) {
    case 'param': {
      if (n.rows !== undefined) return `shared ${n.param}`;
      const { paths, type, storage, init, frozen } = run.params[n.param];
      return `param ${paths.map(erase).join()} ${typeText(type)} ${JSON.stringify(storage)} ${JSON.stringify(init)} ${frozen}`;
    }
    case 'state': return n.at === undefined ? `state ${stateText(n.state, run, erase)}` : `read ${n.at} ${stateText(n.state, run, foreign)}`;
    case 'state_write': return `write ${stateText(n.state, run, erase)}`;
    case 'window': return `window ${n.size} ${n.into} ${stateText(n.state, run, erase)}`;
    case 'const': return `const ${n.data.length} ${n.perIteration?.length ?? 0}`;
    case 'map': return n.fn;
    case 'repeat': return `repeat ${n.label} ${n.count} ${n.carries} ${n.reverse} {${signature(n.body, run, prefix, foreign)}}`;
    case 'scan': {
      const chunk = n.chunk === undefined ? '' : `${n.chunk.size} ${n.chunk.axis} {${signature(n.chunk.body, run, prefix)}}`;
      return `scan ${n.inputs} ${n.emits} ${n.states.map((s) => stateText(s, run, erase)).join()} {${signature(n.body, run, prefix)}} ${chunk}`;
    }
    default: {
      const attributes = Object.entries(n).filter(([key]) => key !== 'operands' && key !== 'results' && key !== 'span' && key !== 'label');
      return JSON.stringify(attributes);
    }
  }
}

function stateText(index: number, run: Elaboration, erase: (path: string) => string): string {
  const { paths, policy, type, initial } = run.states[index];
  return `${paths.map(erase).join()} ${policy} ${typeText(type)} ${initial}`;
}
