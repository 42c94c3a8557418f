import { expect, test } from 'vitest';
import { printViolations, verifyPlan } from '../../compiler/plan/verify-plan.js';
import { residualStack } from '../../backends/conformance/launch-builder.js';

test('a value that is read before its successor is written costs no copy', () => {
  const bundle = residualStack(5).plan();
  expect(printViolations(verifyPlan(bundle))).toBe('');
  expect(JSON.stringify(bundle.plan.entries)).not.toContain('"copy"');
});

test('stacking the carried value itself copies it out when the iteration begins', () => {
  const bundle = residualStack(5, 16, 'inside').plan();
  expect(printViolations(verifyPlan(bundle))).toBe('');
  const repeat = bundle.plan.entries[0].steps[1];
  expect(repeat.kind === 'repeat' && repeat.body.map((s) => s.kind)).toEqual(['copy', 'launch', 'launch', 'launch', 'launch']);
});
