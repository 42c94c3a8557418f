/** `--print` and `--stop-after`: the text of a representation when the compiler has made it. */
import type { CompileRequest, Phase } from '../compiler/compile.js';
import type { Module } from '../compiler/ir/graph.js';
import type { Bundle } from '../compiler/ir/plan.js';
import { printModule } from '../compiler/ir/print-graph.js';
import { printProgram } from '../compiler/kernels/print.js';
import type { EntryLaunches, LaunchStep } from '../compiler/plan/launches.js';
import { printPlan } from '../compiler/plan/print-plan.js';

/** Leaves `compile` when the last wanted phase is done. */
class Stop extends Error {}

/** Runs `compile` with an observer that prints `wanted` phases on stdout; undefined if it stopped after `last`. */
export function withPrintedPhases<T>(wanted: readonly string[], last: string | undefined, compile: (onPhase: NonNullable<CompileRequest['onPhase']>) => T): T | undefined {
  try {
    return compile((phase, value) => {
      if (wanted.includes(phase)) process.stdout.write(`${printPhase(phase, value)}\n`);
      if (phase === last) throw new Stop();
    });
  } catch (error) {
    if (error instanceof Stop) return undefined;
    throw error;
  }
}

function printPhase(phase: Phase, value: Module | readonly EntryLaunches[] | Bundle): string {
  switch (phase) {
    case 'graph': case 'passes': return printModule(value as Module);
    case 'kernels': return printLaunches(value as readonly EntryLaunches[]);
    case 'plan': return printPlan((value as Bundle).plan);
  }
}

/** The launches of every entry in order, then every tile program once. */
function printLaunches(entries: readonly EntryLaunches[]): string {
  const programs = new Map<string, string>();
  const lines = (steps: readonly LaunchStep[], entry: EntryLaunches, indent: string): string[] => steps.flatMap((step) => {
    const tensor = (i: number): string => {
      const t = entry.tensors[i];
      return t.kind === 'param' ? `param ${t.param}` : t.kind === 'state' ? `state ${t.state}` : t.kind === 'const' ? `const ${i}` : t.name;
    };
    switch (step.kind) {
      case 'launch':
        programs.set(step.program.name, printProgram(step.program));
        return [`${indent}${step.program.name}(${step.args.map((a) => tensor(a.tensor) + (a.offset === 0 ? '' : ` + ${a.offset}`)).join(', ')})`];
      case 'repeat': return [`${indent}repeat ${step.label} x ${step.count}${step.reverse ? ' in reverse' : ''}`, ...lines(step.body, entry, `${indent}  `)];
      case 'collective': return [`${indent}${step.op} over ${step.group}: ${tensor(step.from)} to ${tensor(step.to)}`];
    }
  });
  const text = entries.flatMap((entry) => [`entry ${entry.name} (${entry.dims.map((d) => `${d.name} <= ${d.max}`).join(', ')})`, ...lines(entry.steps, entry, '  '), '']);
  return [...text, ...programs.values()].join('\n');
}
