/**
 * What every device must do, as one suite of vitest cases. A device's test file calls
 *
 *   conformance('cpu', () => cpuDevice(), { kernels: everySample() });
 *
 * Expected values are computed by hand; plain cases use small integers, which every device must get exactly.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import type { Device } from '../device.js';
import { bufferCases } from './buffers.js';
import { carryCases } from './carries.js';
import { kernelCases, type KernelCase } from './kernels.js';
import { rankCases } from './ranks.js';
import { repeatCases } from './repeats.js';
import { requestCases } from './requests.js';
import { stateCases } from './states.js';

export interface ConformanceOptions {
  /** Single launches of tile programs with the bytes they must leave. */
  readonly kernels: readonly KernelCase[];
  /** The least tolerance for `kernels`, as a share of the largest expected value; cases that state 0 stay exact. */
  readonly tolerance?: number;
  /** False for a device that computes nothing: only what it accepts, refuses and holds is tested. */
  readonly computes?: boolean;
  /** True for a device that runs several ranks. */
  readonly ranks?: boolean;
}

export type MakeDevice = () => Device | Promise<Device>;
export type UseDevice = () => Device;

export function conformance(name: string, makeDevice: MakeDevice, options: ConformanceOptions): void {
  const computes = options.computes ?? true;
  describe(`device ${name}`, () => {
    let device: Device | undefined;
    // A device may have to build its native part first.
    beforeAll(async () => { device = await makeDevice(); }, 120_000);
    afterAll(async () => { await device?.close(); });
    const use: UseDevice = () => device!;
    bufferCases(use, computes);
    requestCases(use);
    if (!computes) return;
    repeatCases(use);
    carryCases(use);
    stateCases(use);
    kernelCases(use, options.kernels, options.tolerance ?? 0);
    if (options.ranks) rankCases(use);
  });
}
