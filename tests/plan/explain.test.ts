import { expect, test } from 'vitest';
import { ModelBuilder, layerPaths } from '../../backends/conformance/launch-builder.js';
import { explain, printExplanation } from '../../compiler/plan/explain.js';
import { nullDevice } from '../../backends/null/device.js';

function twoRuns(): ModelBuilder {
  const m = new ModelBuilder(16);
  const [w, v] = [m.param(layerPaths(1, 'w')), m.param(layerPaths(4, 'v'))];
  return m.entry('decode', 8, (e) => {
    const [x, y] = [e.input('x'), e.output('y')];
    const one = e.value('one');
    const [inside, scaled, next] = [e.value('inside'), e.value('scaled'), e.value('next')];
    return [
      e.launch('scale', [x], [e.param(w)], one),
      { kind: 'repeat', label: 'layers', count: 4, reverse: false, stacked: [], carries: [{ initial: one, inside, next, out: y }], body: [e.launch('scale', [inside], [e.param(v)], scaled), e.launch('add', [inside, scaled], [], next)] },
    ];
  });
}

test('counts launches, operations and intermediates per section, at the dims asked for', async () => {
  const bundle = twoRuns().plan();
  const e = explain(bundle, 'decode', { tokens: 2 });
  expect(e.sections.map((s) => [s.repeat, s.iterations, s.rows.map((r) => r.kernel)])).toEqual([['', 1, ['scale']], ['layers', 4, ['scale', 'add', 'copy']]]);
  // [2 tokens, 16] f32 = 128 bytes: scale reads and writes one, add reads two and writes one.
  expect(e.sections[1].rows.map((r) => r.intermediates)).toEqual([256, 384, 256]);
  expect(e.launches).toBe(1 + 4 * 3);
  const exec = await nullDevice().load(bundle);
  await exec.run('decode', { tokens: 2 }, { x: new Float32Array(32) }, []);
  expect(exec.counts).toMatchObject({ flops: e.total.flops, bytes: e.total.bytes, launches: 9, copies: 4 });
  expect(() => explain(bundle, 'train')).toThrow("no entry 'train', only decode");
});

test('as text', () => {
  expect(`\n${printExplanation(explain(twoRuns().plan(), 'decode', { tokens: 2 }))}`).toMatchInlineSnapshot(`
    "
    decode on reference at tokens 2: 13 launches, 18 FLOP (0 FLOP in products), 1.02 kB moved, 3.71 kB of intermediates

    once: 1 launches, 2 FLOP (0 FLOP in products), 0 B moved, 128 B of intermediates
      scale                             2 FLOP       0 B     128 B intermediate

    repeat layers, 4 times: 3 launches, 4 FLOP (0 FLOP in products), 256 B moved, 896 B of intermediates per iteration
      scale                             2 FLOP       0 B     256 B intermediate
      add                               2 FLOP       0 B     384 B intermediate
      copy                              0 FLOP     256 B     256 B intermediate
        next to inside.next
    "
  `);
});
