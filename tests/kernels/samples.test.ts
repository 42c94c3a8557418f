import { expect, it } from 'vitest';
import { everySample } from './samples.js';
it('builds', () => { expect(everySample().length).toBe(21); });
