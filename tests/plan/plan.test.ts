import { describe, expect, test } from 'vitest';
import { EntryBuilder, layerPaths, ModelBuilder, residualStack, rowKernel } from '../../backends/conformance/launch-builder.js';
import { referenceDevice } from '../../backends/reference/device.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import type { EntryLaunches, LaunchStep, TensorIndex } from '../../compiler/plan/launches.js';
import { printPlan } from '../../compiler/plan/print-plan.js';
import { printViolations, verifyPlan } from '../../compiler/plan/verify-plan.js';
import { Random } from '../kernels/samples.js';

const scratchBytes = (b: Bundle): number => b.plan.buffers.find((x) => x.id === 'scratch')?.bytes ?? 0;

function accepted(bundle: Bundle): Bundle {
  expect(printViolations(verifyPlan(bundle))).toBe('');
  return bundle;
}

test('the whole plan of a small model', () => {
  expect(`\n${printPlan(accepted(residualStack(3, 4, 'mid', 2).plan()).plan).replace(/[0-9a-f]{12}/g, '#')}`).toMatchInlineSnapshot(`
    "
    plan Test for reference, version 1, #
    dims slots <= 8, tokens <= 2; block 4; ranks 1; 3584 bytes per rank
    buffer weights: weights, 1792 bytes
    buffer input: input, 256 bytes
    buffer output: output, 1024 bytes
    buffer scratch: scratch, 512 bytes
    weight layers[0].a: f32 [w: 4] dense[w] at weights+0, 16 bytes
    weight layers[1].a: f32 [w: 4] dense[w] at weights+256, 16 bytes
    weight layers[2].a: f32 [w: 4] dense[w] at weights+512, 16 bytes
    weight layers[0].b: f32 [w: 4] dense[w] at weights+768, 16 bytes
    weight layers[1].b: f32 [w: 4] dense[w] at weights+1024, 16 bytes
    weight layers[2].b: f32 [w: 4] dense[w] at weights+1280, 16 bytes
    weight head: f32 [w: 4] dense[w] at weights+1536, 16 bytes
    kernel embed(read x0: f32, write out: f32) #
    kernel scale(read x0: f32, read p0: f32, write out: f32) #
    kernel add(read x0: f32, read x1: f32, write out: f32) #
    entry forward(tokens <= 2)
      input x: f32 [tokens, 4] x@input+0:32
      output y: f32 [tokens, 4] y@output+0:32
      output hidden: f32 [3, tokens, 4] hidden@output+256:768, 3 by 256
      embed[tokens](x@input+0:32, x0@scratch+0:32)
      repeat layers[3] inside = x0 then next, at last last; hidden of mid
        scale[tokens](inside@scratch+0:32, layers[*].a@weights+0+layers*256:16, xa@scratch+256:32)
        add[tokens](inside@scratch+0:32, xa@scratch+256:32, mid@output+256+layers*256:32)
        scale[tokens](mid@output+256+layers*256:32, layers[*].b@weights+768+layers*256:16, xb@scratch+256:32)
        add[tokens](mid@output+256+layers*256:32, xb@scratch+256:32, next@scratch+0:32)
      scale[tokens](last@scratch+0:32, head@weights+1536:16, y@output+0:32)
    "
  `);
});

describe('carried values', () => {
  test('one place suffices if a value is dead when the next is written', () => {
    expect(JSON.stringify(accepted(residualStack(5).plan()).plan.entries)).not.toContain('"copy"');
  });

  test('stacking the carried value itself copies it out when the iteration begins', () => {
    const repeat = accepted(residualStack(5, 16, 'inside').plan()).plan.entries[0].steps[1];
    expect(repeat.kind === 'repeat' && repeat.body.map((s) => s.kind)).toEqual(['copy', 'launch', 'launch', 'launch', 'launch']);
  });

  test('values that exchange places go through a third', () => {
    const m = new ModelBuilder(4).entry('forward', 2, (e) => {
      const [x, a, b, outA, outB, y] = [e.input('x'), e.value('a'), e.value('b'), e.value('outA'), e.value('outB'), e.output('y')];
      const carries = [{ initial: x, inside: a, next: b, out: outA }, { initial: x, inside: b, next: a, out: outB }];
      return [{ kind: 'repeat', label: 'steps', count: 2, reverse: false, stacked: [], carries, body: [e.launch('add', [a, b], [], e.value('unused'))] }, e.launch('add', [outA, outB], [], y)];
    });
    const repeat = accepted(m.plan()).plan.entries[0].steps.find((s) => s.kind === 'repeat')!;
    expect(repeat.body.slice(1).map((s) => s.kind === 'copy' && [s.from.tensor, s.to.tensor])).toEqual([['a', 'spare'], ['b', 'a.next'], ['spare', 'b.next']]);
  });
});

describe('memory', () => {
  test('a chain of values needs two places however long it is', () => {
    const chain = (length: number): Bundle => new ModelBuilder(16).entry('forward', 8, (e) => {
      const values = Array.from({ length }, (_, i) => e.value(`v${i}`));
      return [e.launch('copy', [e.input('x')], [], values[0]), ...values.slice(1).map((v, i) => e.launch('copy', [values[i]], [], v)), e.launch('copy', [values[length - 1]], [], e.output('y'))];
    }).plan();
    expect(scratchBytes(accepted(chain(4)))).toBe(2 * 512);
    expect(scratchBytes(accepted(chain(40)))).toBe(2 * 512);
  });

  test('entries share scratch, ports and weights', () => {
    const build = (names: readonly string[]): Bundle => {
      const m = new ModelBuilder(16);
      const w = m.param(['w']);
      for (const name of names) m.entry(name, name === 'decode' ? 1 : 8, (e) => {
        const v = e.value('v');
        return [e.launch('scale', [e.input('x')], [e.param(w)], v), e.launch('scale', [v], [e.param(w)], e.output('y'))];
      });
      return accepted(m.plan());
    };
    expect(build(['prefill', 'decode']).plan.peakBytes).toBe(build(['prefill']).plan.peakBytes);
  });

  test('layers do not add scratch', () => {
    expect(scratchBytes(residualStack(60).plan())).toBe(scratchBytes(residualStack(1).plan()));
  });
});

describe('limits', () => {
  const wide = (maxBufferBytes: number): Bundle => {
    const m = new ModelBuilder(256);
    const w = m.param(layerPaths(7, 'w'));
    return m.entry('forward', 2, (e) => {
      const [x, inside, next, y] = [e.input('x'), e.value('inside'), e.value('next'), e.output('y')];
      return [{ kind: 'repeat', label: 'layers', count: 7, reverse: false, stacked: [], carries: [{ initial: x, inside, next, out: y }], body: [e.launch('scale', [inside], [e.param(w)], next)] }];
    }).plan({ maxBufferBytes });
  };

  test('buffers may be cut between tensors, never inside one', () => {
    const { buffers } = accepted(wide(2500)).plan;
    expect(buffers.find((b) => b.id === 'weights')?.pieces).toEqual([0, 2048, 4096, 6144]);
  });

  test('a tensor beyond the limit is named', () => {
    expect(() => wide(1000)).toThrow(/the weight 'layers\[0\]\.w' takes 1024 bytes, more than the 768 bytes/);
    expect(() => wide(1024)).toThrow(/the (input 'x'|output 'y'|intermediate 'next')/);
  });
});

describe('launches that cannot be planned', () => {
  const forward = (write: (e: EntryBuilder, m: ModelBuilder) => readonly LaunchStep[]): (() => Bundle) => () => {
    const m = new ModelBuilder(4);
    return m.entry('forward', 2, (e) => write(e, m)).plan();
  };

  test('a value used outside its iteration', () => {
    expect(forward((e) => {
      const v = e.value('v');
      return [{ kind: 'repeat', label: 'layers', count: 2, reverse: false, carries: [], stacked: [], body: [e.launch('copy', [e.input('x')], [], v)] }, e.launch('copy', [v], [], e.output('y'))];
    })).toThrow("plan: entry 'forward': 'v' is defined inside repeat 'layers' and used outside it");
  });

  test('a weight whose rows no repeat numbers', () => {
    expect(forward((e, m) => [e.launch('scale', [e.input('x')], [e.param(m.param(layerPaths(3, 'w')))], e.output('y'))])).toThrow(/'layers\[\*\]\.w' has 3 rows/);
  });

  test('a view larger than its tensor', () => {
    expect(forward((e) => [e.bind(rowKernel('copy', 8, 1, 0), [e.input('x'), e.output('y')])])).toThrow(/view 'x0' of kernel 'copy' reaches 64 bytes into 'x', which has 32/);
  });

  test('one weight in two packings', () => {
    const m = new ModelBuilder(4);
    const w = m.param(['w']);
    const using = (name: string, order: readonly string[]): void => {
      m.entry(name, 1, (e) => {
        e.tensors.push({ kind: 'param', param: w, packing: { kind: 'panel', order, lanes: 'w', width: order.length } });
        return [];
      });
    };
    using('prefill', ['w', 'k']);
    using('decode', ['w', 'k', 'n']);
    expect(() => m.plan()).toThrow(/'w' is stored once, but 'prefill' wants panel.* and 'decode' panel/);
  });
});

/** What launches mean if every tensor has memory of its own: names -> values, nothing shared. */
function runDirectly(entry: EntryLaunches, x: number): Map<TensorIndex, number> {
  const values = new Map<TensorIndex, number>();
  entry.tensors.forEach((t, i) => { if (t.kind === 'input') values.set(i, x); });
  const run = (steps: readonly LaunchStep[]): void => {
    for (const s of steps) {
      if (s.kind === 'launch') {
        const inputs = s.args.slice(0, -1).map((a) => values.get(a.tensor)!);
        const out = s.args[s.args.length - 1].tensor;
        values.set(out, inputs.reduce((a, b) => a + b, s.program.views.at(-1)!.access === 'readwrite' ? values.get(out)! : 0));
      } else if (s.kind === 'repeat') {
        for (const c of s.carries) values.set(c.inside, values.get(c.initial)!);
        for (let n = 0; n < s.count; n++) {
          run(s.body);
          const next = s.carries.map((c) => values.get(c.next)!);
          s.carries.forEach((c, i) => values.set(c.inside, next[i]));
        }
        for (const c of s.carries) values.set(c.out, values.get(c.inside)!);
      }
    }
  };
  run(entry.steps);
  return values;
}

/** Random launches and repeats, nested twice, whose carries may be used in any way that a graph allows. */
class RandomEntry {
  readonly builder = new EntryBuilder(4);
  private count = 0;
  constructor(private readonly random: Random) {}

  private value(): TensorIndex { return this.builder.value(`v${this.count++}`); }
  pick(list: readonly TensorIndex[]): TensorIndex { return list[this.random.below(list.length)]; }

  /** Steps that may use `known`, to which what they define is added. */
  steps(known: TensorIndex[], depth: number, length: number): LaunchStep[] {
    return Array.from({ length }, (): LaunchStep => {
      if (depth < 2 && this.random.next() < 0.35) return this.repeat(known, depth);
      const out = this.value();
      const sources = Array.from({ length: 1 + this.random.below(2) }, () => this.pick(known));
      known.push(out);
      return this.builder.launch('add', [...new Set(sources)], [], out);
    });
  }

  private repeat(known: TensorIndex[], depth: number): LaunchStep {
    const carries = Array.from({ length: 1 + this.random.below(3) }, () => ({ initial: this.pick(known), inside: this.value(), out: this.value() }));
    const inside = [...known, ...carries.map((c) => c.inside)];
    const body = this.steps(inside, depth + 1, 1 + this.random.below(4));
    const withNext = carries.map((c) => ({ ...c, next: this.pick(inside.slice(-5)) }));
    known.push(...carries.map((c) => c.out));
    return { kind: 'repeat', label: 'steps', count: 1 + this.random.below(3), reverse: false, carries: withNext, stacked: [], body };
  }
}

test('random launches compute on shared memory what they compute on memory of their own', async () => {
  const device = referenceDevice();
  for (let seed = 1; seed <= 150; seed++) {
    const random = new RandomEntry(new Random(seed));
    const m = new ModelBuilder(4).entry('forward', 1, (e) => {
      Object.assign(random, { builder: e });
      const known = [e.input('x')];
      const steps = random.steps(known, 0, 4);
      return [...steps, ...known.slice(-4).map((k, i) => e.launch('copy', [k], [], e.output(`y${i}`)))];
    });
    const exec = await device.load(accepted(m.plan()));
    const outputs = m.entries[0].tensors.flatMap((t) => (t.kind === 'output' ? [t.name] : []));
    const got = await exec.run('forward', { tokens: 1 }, { x: Float32Array.of(1, 1, 1, 1) }, outputs);
    const want = runDirectly(m.entries[0], 1);
    m.entries[0].tensors.forEach((t, i) => { if (t.kind === 'output') expect(got[t.name][0], `seed ${seed}, ${t.name}`).toBe(want.get(i)); });
  }
});

