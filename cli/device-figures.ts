/** The device that times are modelled for: a known one, this machine, or figures from the command line. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { type DeviceFigures, knownDevices } from '../compiler/model/roofline.js';
import { CommandError } from './failure.js';

export function deviceFigures(text: string): DeviceFigures {
  if (text === 'h100' || text === 'h200') return knownDevices[text];
  if (text === 'cpu') return measureCpu();
  return readFigures(text);
}

const keys = ['bandwidth', 'flops', 'vector', 'launch', 'memory'] as const;

function readFigures(text: string): DeviceFigures {
  const fix = 'name h200, h100 or cpu, or give figures in bytes/s, flop/s, s and bytes: "bandwidth=2e12,flops=4e14,vector=3e13,launch=2e-6,memory=64e9" (the last three may be left out)';
  const given = new Map(text.split(',').map((part) => { const [key, value] = part.split('='); return [key.trim(), Number(value)]; }));
  const wrong = [...given].find(([key, value]) => !keys.includes(key as (typeof keys)[number]) || !(value > 0) || value === Infinity);
  if (wrong !== undefined || !given.has('bandwidth') || !given.has('flops')) throw new CommandError('C31', `'${text}' is no device`, fix);
  const flops = given.get('flops')!;
  return { name: text, bandwidth: given.get('bandwidth')!, products: { bf16: flops, f32: flops }, vector: given.get('vector') ?? flops, launch: given.get('launch') ?? 2e-6, memory: given.get('memory') ?? Infinity };
}

/**
 * Bandwidth is measured by copying (one thread). Peak operations are computed: threads times clock times two fused
 * multiply-adds of the widest vectors in f32 per cycle. A launch hands work to waiting threads.
 */
function measureCpu(): DeviceFigures {
  const info = cpuInfo();
  const perCycle = info.flags.has('avx512f') ? 64 : info.flags.has('avx2') ? 32 : 8;
  const peak = availableParallelism() * info.hertz * perCycle;
  return { name: `cpu (${cpus()[0]?.model.trim() ?? 'unknown'})`, bandwidth: copyBandwidth(), products: { bf16: peak, f32: peak }, vector: peak, launch: 5e-6, memory: totalmem() };
}

function cpuInfo(): { readonly hertz: number; readonly flags: ReadonlySet<string> } {
  let text = '';
  // Where there is no such file, the clock and the narrowest vectors are taken.
  try { text = readFileSync('/proc/cpuinfo', 'utf8'); } catch { /* not Linux */ }
  const megahertz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(text)?.[1] ?? cpus()[0]?.speed ?? 0) || 2000;
  return { hertz: megahertz * 1e6, flags: new Set((/^flags\s*:\s*(.*)$/m.exec(text)?.[1] ?? '').split(' ')) };
}

/** Bytes read and written per second by the best of some copies of 128 MiB. */
function copyBandwidth(): number {
  const bytes = 128 * 1024 * 1024;
  const from = new Uint8Array(bytes).fill(1);
  const to = new Uint8Array(bytes);
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    to.set(from);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * bytes) / (best / 1000);
}
