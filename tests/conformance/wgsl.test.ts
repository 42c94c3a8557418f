import { conformance } from '../../backends/conformance/conformance.js';
import { everySample } from '../kernels/samples.js';
import { withWgsl } from '../support/wgsl.js';

await withWgsl('device wgsl', (make) => conformance('wgsl', () => make('default'), { kernels: everySample(), tolerance: 1e-5 }));
