import { describe, expect, test } from 'vitest';
import { trainingNotCompiled } from '../../../dsl/section-messages.js';
import { nodeLoader } from '../../../dsl/std-node.js';
import { compile } from '../../../index.js';
import { codesOf, errorsOf, modelWith } from '../../support/error-spec.js';

describe('models and their sections', () => {
  test.each<readonly [string, string]>([
    ['E0607', 'context 5\n  context 6'],
    ['E0608', 'precision { activation: bf16 }'],
    ['E0608', 'mesh { experts: 4 }'],
    ['E0609', 'precision { activations: int4 }'],
    ['E0609', 'precision { accumulate: bf16 }'],
    ['E0609', 'mesh { expert: 0 }'],
    ['E0609', 'quantize head.weight to int4(group: 7, along: in)'],
    ['E0610', 'context -1'],
    ['E0610', 'stop [0.5]'],
    ['E0611', 'quantize head.weight to int5(group: 32, along: in)'],
    ['E0612', 'quantize heads.weight to int4(group: 8, along: in)'],
    ['E0613', 'quantize head.weight to int4(group: 16, along: in)'],
    ['E0614', 'weights { tap "hidden" <- layers[i].hidden }'],
    ['E0615', 'train with 3'],
  ])('%s: %s', (code, body) => {
    expect(codesOf(body)).toContain(code);
  });

  test.each<readonly [string, string]>([
    ['E0601', 'fn double(x) = x + x'],
    ['E0602', 'model B = A with { hidden = 8 }'],
    ['E0603', 'model A = A with { hidden = 8 }'],
    ['E0604', `${modelWith('')}model B = M with { hiden = 16 }`],
    ['E0605', modelWith('', '', 'y = x')],
    ['E0606', modelWith('', '', 'logits = position')],
  ])('%s', (code, text) => {
    expect(errorsOf(text).diagnostics.map((d) => d.code)).toContain(code);
  });

  test('E0616: a tap that was asked for must exist', () => {
    const spec = modelWith('export early = x');
    expect(errorsOf(spec, { taps: ['early'] }).diagnostics).toEqual([]);
    expect(errorsOf(spec, { taps: ['earli'] }).rendered).toContain('did you mean `early`?');
  });

  test('E0618: whether there is a training step is known, and that it is not compiled yet', () => {
    const { info } = errorsOf(modelWith('train with muon_clip(lr: 1e-4, weight_decay: 0.1)', 'use std.{muon_clip}'));
    expect(trainingNotCompiled('M', true, info!.train!.span)).toMatchObject({ code: 'E0618', message: 'training steps are not compiled yet' });
    expect(trainingNotCompiled('M', false, info!.span).message).toContain('no `train` section');
  });

  test('E0617: no more context than the model states', () => {
    const entry = { path: 'test.firn', text: modelWith('context 64') };
    const codes = (context: number): string[] => compile({ entry, load: nodeLoader, target: 'null', context }).diagnostics.map((d) => `${d.code} ${d.span.line}`);
    expect(codes(64)).toEqual([]);
    expect(codes(65)).toEqual([`E0617 ${entry.text.split('\n').findIndex((l) => l.includes('context 64')) + 1}`]);
  });

  test('an override replaces what a name stands for, in the file or from outside', () => {
    const spec = `${modelWith('')}model Wide = M with { hidden = 32 }\n`;
    const sizeOf = (options: object): unknown => errorsOf(spec, options).info?.dims.get('hidden');
    expect(sizeOf({})).toBe(32);
    expect(sizeOf({ model: 'M' })).toBe(8);
    expect(sizeOf({ model: 'M', overrides: { hidden: 64 } })).toBe(64);
  });
});
