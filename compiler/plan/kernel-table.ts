import type { Program } from '../ir/kernel.js';
import type { Kernel } from '../ir/plan.js';
import { canonicalJson } from './canonical-json.js';
import { sha256 } from './sha256.js';

/** Programs of all launches, each distinct one once: layers of one kind share their kernels. */
export class KernelTable {
  readonly programs: Program[] = [];
  private readonly byProgram = new Map<Program, string>();
  private readonly byText = new Map<string, string>();
  private readonly names = new Set<string>();

  /** Programs that differ in their names only are one kernel; different ones never share a name. */
  nameOf(program: Program): string {
    const known = this.byProgram.get(program);
    if (known) return known;
    const text = canonicalJson({ ...program, name: '' });
    const name = this.byText.get(text) ?? this.add(program, text);
    this.byProgram.set(program, name);
    return name;
  }

  kernels(): Kernel[] {
    return this.programs.map((program) => ({
      name: program.name, program: sha256(canonicalJson(program)), origin: program.origin,
      views: program.views.map(({ name, dtype, access }) => ({ name, dtype, access })),
    }));
  }

  private add(program: Program, text: string): string {
    let name = program.name;
    for (let n = 2; this.names.has(name); n++) name = `${program.name}.${n}`;
    this.names.add(name);
    this.byText.set(text, name);
    this.programs.push({ ...program, name });
    return name;
  }
}
