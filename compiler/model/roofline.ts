/**
 * How long launches take on a device, by the roofline model (Williams, Waterman, Patterson 2009), kernel by kernel:
 *
 *   time = sum over launches of  launch + max( bytes / bandwidth,  products / product peak + others / vector peak )
 *
 * `products` are the multiplications and additions of contractions and attention, `others` all other arithmetic, `bytes`
 * what the fused kernel must read and write once: packed weights, of experts the chosen ones, cache entries, stored
 * intermediates. Peaks are those of data sheets, so a time is what the device cannot beat, not what it will take; it is
 * for comparing variants. Overlap of launches, cache reuse between them and communication between devices are not in it,
 * and the weights are taken to be in the device's memory whatever it holds.
 */
import type { Scalar } from '../ir/kernel.js';
import { evaluateScalar } from '../kernels/scalar.js';
import type { LaunchStep } from '../plan/launches.js';

export interface DeviceFigures {
  readonly name: string;
  /** Bytes per second to and from memory. */
  readonly bandwidth: number;
  /** Operations per second in matrix products, by the dtype of the activations. */
  readonly products: { readonly bf16: number; readonly f32: number };
  /** Operations per second of everything else, in f32. */
  readonly vector: number;
  /** Seconds from the end of one kernel to the start of the next. */
  readonly launch: number;
  /** Bytes. */
  readonly memory: number;
}

/**
 * NVIDIA data sheets (SXM versions, dense): H100 3.35 TB/s, 989 Tflop/s in bf16, 67 in f32, 80 GB; H200 4.8 TB/s, 141 GB.
 * A launch in a CUDA graph is taken to cost 2 microseconds.
 */
export const knownDevices: Readonly<Record<'h100' | 'h200', DeviceFigures>> = {
  h100: { name: 'h100', bandwidth: 3.35e12, products: { bf16: 989e12, f32: 67e12 }, vector: 67e12, launch: 2e-6, memory: 80e9 },
  h200: { name: 'h200', bandwidth: 4.8e12, products: { bf16: 989e12, f32: 67e12 }, vector: 67e12, launch: 2e-6, memory: 141e9 },
};

export interface ModelledRun {
  readonly launches: number;
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
}

const nothing: ModelledRun = { launches: 0, seconds: 0, flops: 0, bytes: 0 };

function add(a: ModelledRun, b: ModelledRun, times = 1): ModelledRun {
  return { launches: a.launches + times * b.launches, seconds: a.seconds + times * b.seconds, flops: a.flops + times * b.flops, bytes: a.bytes + times * b.bytes };
}

/** `dims`: a value for every dim of the entry; `dtype` that of the activations. Collectives take no time here. */
export function modelRun(steps: readonly LaunchStep[], dims: Readonly<Record<string, number>>, device: DeviceFigures, dtype: 'bf16' | 'f32'): ModelledRun {
  return steps.reduce((sum, step): ModelledRun => {
    switch (step.kind) {
      case 'launch': {
        const of = (s: Scalar): number => evaluateScalar(s, { dims });
        const [products, flops, bytes] = [of(step.cost.contraction), of(step.cost.flops), of(step.cost.bytes)];
        const seconds = device.launch + Math.max(bytes / device.bandwidth, products / device.products[dtype] + (flops - products) / device.vector);
        return add(sum, { launches: 1, seconds, flops, bytes });
      }
      case 'repeat': return add(sum, modelRun(step.body, dims, device, dtype), step.count);
      case 'collective': return sum;
    }
  }, nothing);
}
