/** The devices that a test runs on; those that this machine lacks, with what would make them work. */
import type { Device } from '../../backends/device.js';
import { cpuDevice } from '../../backends/cpu/device.js';
import { referenceDevice } from '../../backends/reference/device.js';
import { nodeWgslDevice } from '../../backends/wgsl/node.js';

export interface TestDevice {
  readonly name: 'reference' | 'cpu' | 'wgsl';
  /** Why it cannot be had here. */
  readonly missing?: string;
  open(): Promise<Device>;
}

async function probe(name: TestDevice['name'], open: () => Promise<Device>, required: boolean): Promise<TestDevice> {
  if (required) return { name, open };
  try {
    await (await open()).close();
    return { name, open };
  } catch (error) {
    return { name, open, missing: (error as Error).message.replace(/\s+/g, ' ') };
  }
}

export const testDevices: readonly TestDevice[] = [
  { name: 'reference', open: async () => referenceDevice() },
  await probe('cpu', () => cpuDevice(), false),
  await probe('wgsl', () => nodeWgslDevice(), process.env.FIRN_REQUIRE_WGSL === '1'),
];
