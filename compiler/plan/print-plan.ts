import type { Plan, Port, Region, Step } from '../ir/plan.js';
import { printPacking } from '../ir/packing.js';
import { printScalar } from '../kernels/scalar.js';

/** A plan as text, for people and for tests: one line per buffer, stored table and step. Stable. */
export function printPlan(plan: Plan): string {
  const lines = [
    `plan ${plan.model} for ${plan.target}, version ${plan.version}, ${plan.hash.slice(0, 12)}`,
    `dims ${plan.dims.map((d) => `${d.name} <= ${d.max}`).join(', ')}; block ${plan.block}; ranks ${plan.ranks}; ${plan.peakBytes} bytes per rank`,
    ...plan.groups.map((g) => `group ${g.name}: ${g.teams.map((t) => `(${t.join(' ')})`).join(' ')}`),
    ...plan.buffers.map((b) => `buffer ${b.id}: ${b.kind}, ${b.bytes} bytes${b.pieces ? `, ${b.pieces.length} pieces` : ''}`),
    ...plan.weights.map((w) => `weight ${w.path}: ${w.dtype} ${axes(w.axes)} ${printPacking(w.packing)} at ${w.buffer}+${w.offset}, ${w.bytes} bytes`),
    ...plan.states.map((s) => `state ${s.path}: ${s.policy} ${s.dtype} ${axes(s.axes)} at ${s.buffer}+${s.offset}, ${s.bytes} bytes, initially ${s.initial}`),
    ...plan.constants.map((c) => `constant ${c.dtype} at ${c.buffer}+${c.offset}${c.rank === undefined ? '' : ` of rank ${c.rank}`}`),
    ...plan.kernels.map((k) => `kernel ${k.name}(${k.views.map((v) => `${v.access} ${v.name}: ${v.dtype}`).join(', ')}) ${k.program.slice(0, 12)}`),
  ];
  for (const entry of plan.entries) {
    lines.push(`entry ${entry.name}(${entry.dims.map((d) => `${d.name} <= ${d.max}`).join(', ')})`);
    lines.push(...entry.inputs.map((p) => `  input ${printPort(p)}`), ...entry.outputs.map((p) => `  output ${printPort(p)}`), ...printSteps(entry.steps, '  '));
  }
  return `${lines.join('\n')}\n`;
}

function printSteps(steps: readonly Step[], indent: string): string[] {
  return steps.flatMap((step): string[] => {
    switch (step.kind) {
      case 'launch': return [`${indent}${step.kernel}[${step.grid.map((g) => printScalar(g)).join(', ')}](${step.args.map(printRegion).join(', ')})`];
      case 'copy': return [`${indent}copy ${printRegion(step.from)} to ${printRegion(step.to)}, ${printScalar(step.bytes)} bytes`];
      case 'collective': return [`${indent}${step.op} over ${step.group} #${step.tag}: ${printRegion(step.from)} to ${printRegion(step.to)}, ${printScalar(step.count)} ${step.dtype}`];
      case 'repeat': {
        const carried = step.carries.map((c) => `${c.inside} = ${c.initial} then ${c.next}, at last ${c.out}`);
        const stacked = step.stacked.map((s) => `${s.out} of ${s.inside}`);
        return [`${indent}repeat ${step.variable}[${step.count}]${step.reverse ? ' reversed' : ''} ${[...carried, ...stacked].join('; ')}`.trimEnd(), ...printSteps(step.body, `${indent}  `)];
      }
    }
  });
}

function axes(list: readonly { readonly name: string; readonly size: number }[]): string {
  return `[${list.map((a) => `${a.name}: ${a.size}`).join(', ')}]`;
}

/** `x@scratch+0+layers*512:2048`: what, where, how many bytes. */
function printRegion(r: Region): string {
  return `${r.tensor}@${r.buffer}+${r.offset.base}${r.offset.terms.map((t) => `+${t.variable}*${t.stride}`).join('')}:${r.bytes}`;
}

function printPort(p: Port): string {
  return `${p.name}: ${p.dtype} [${p.shape.map((s) => printScalar(s)).join(', ')}] ${printRegion(p.region)}${(p.stretches ?? []).map((s) => `, ${s.count} by ${s.stride}`).join('')}`;
}
