import { conformance } from '../../backends/conformance/conformance.js';
import { cpuDevice } from '../../backends/cpu/device.js';
import { everySample } from '../kernels/samples.js';

conformance('cpu', () => cpuDevice({ threads: 2 }), { kernels: everySample(), tolerance: 3e-6 });
conformance('cpu, portable code', () => cpuDevice({ threads: 3, level: 'v2' }), { kernels: everySample(), tolerance: 3e-6 });
