import { readFile } from 'node:fs/promises';
import { DeviceError } from '../device.js';

/** An instruction set level. */
export interface Level {
  readonly name: 'v4' | 'v3' | 'v2';
  /** For people. */
  readonly label: string;
  readonly flags: readonly string[];
  /** Floats per vector in generated code. */
  readonly lanes: 4 | 8;
  /** Vector registers. */
  readonly registers: 16 | 32;
  /** Processor flags (as /proc/cpuinfo spells them) without which it cannot run. */
  readonly needs: readonly string[];
}

const avx2 = ['avx2', 'fma', 'bmi1', 'bmi2', 'f16c', 'movbe', 'abm'];
/** Instruction set levels that kernels are built for, widest first. */
export const levels: readonly Level[] = [
  // Vectors stay 8 wide: panels are, and 512-bit code is slower on some processors that have it; the 32 registers count.
  { name: 'v4', label: 'AVX-512', flags: ['-march=x86-64-v4', '-mprefer-vector-width=256'], lanes: 8, registers: 32, needs: [...avx2, 'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'] },
  { name: 'v3', label: 'AVX2', flags: ['-march=x86-64-v3'], lanes: 8, registers: 16, needs: avx2 },
  { name: 'v2', label: 'portable (SSE4.2)', flags: ['-march=x86-64-v2'], lanes: 4, registers: 16, needs: ['sse4_2', 'ssse3', 'popcnt', 'cx16'] },
];

/** A level by name, whether this processor has it or not. */
export function levelNamed(name: Level['name']): Level {
  return levels.find((l) => l.name === name)!;
}

/** The widest level that this processor has, or `wanted`; throws D37 if it lacks that. */
export async function chooseLevel(wanted?: Level['name']): Promise<Level> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const has = new Set((/^flags\s*:(.*)$/m.exec(text)?.[1] ?? '').trim().split(/\s+/));
  const found = levels.find((l) => (wanted === undefined || l.name === wanted) && l.needs.every((f) => has.has(f)));
  if (found) return found;
  throw new DeviceError('D37', wanted ? `this processor lacks ${levels.find((l) => l.name === wanted)?.label ?? wanted}` : 'this processor is not x86-64 with SSE4.2', 'use --device wgsl or reference');
}
