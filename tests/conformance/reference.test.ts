import { conformance } from '../../backends/conformance/conformance.js';
import { referenceDevice } from '../../backends/reference/device.js';
import { everySample } from '../kernels/samples.js';

conformance('reference', () => referenceDevice({ checked: true }), { kernels: everySample(), ranks: true });
