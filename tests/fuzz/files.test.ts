/**
 * Damaged files of every kind: each is answered, within a second and a gigabyte. A slice by default, FIRN_FUZZ_SECONDS of
 * each kind. FIRN_FUZZ_FILES says how many in all, divided by `share` (at least 2% of each kind; 20,000 of 1,000,000), and
 * FIRN_FUZZ_SEED where the seeds start: each kind takes seeds from there on. FIRN_FUZZ_RECORD: see record.ts.
 * `kept/` holds files that once were answered badly.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../cli/firn.js';
import { largestAllocation, watchAllocations } from './allocations.js';
import { random } from './mutate.js';
import { kinds, type Kind } from './readers.js';
import { record } from './record.js';

const all = process.env.FIRN_FUZZ_FILES === undefined ? undefined : Number(process.env.FIRN_FUZZ_FILES);
const first = Number(process.env.FIRN_FUZZ_SEED ?? 1);
const slice = Number(process.env.FIRN_FUZZ_SECONDS ?? 1.5);
/** Of CPU time; the slice of every test run shares its machine with other tests. */
const limit = all === undefined ? 5 : 1;
const gibibyte = 2 ** 30;
const kept = join(root, 'tests', 'fuzz', 'kept');

interface Answer { readonly fault?: string; readonly seconds: number; readonly growth: number; readonly array: number }

const maxBytes = (): number => process.resourceUsage().maxRSS * 1024;

/** How a file was answered; `warm`: the most memory that the process had before. CPU time, since tests share their machine. */
async function answer(kind: Kind, bytes: Uint8Array, warm: number): Promise<Answer> {
  const before = process.cpuUsage();
  largestAllocation();
  let thrown: string | undefined;
  try {
    await kind.read(bytes);
  } catch (error) {
    thrown = (error as Error).stack ?? String(error);
  }
  const { user, system } = process.cpuUsage(before);
  const figures = { seconds: (user + system) / 1e6, growth: maxBytes() - warm, array: largestAllocation() };
  return { ...figures, fault: thrown ?? excess(figures) };
}

function excess({ seconds, growth, array }: Answer): string | undefined {
  if (seconds > limit) return `took ${seconds.toFixed(1)} s`;
  if (growth > gibibyte) return `the process grew by ${(growth / gibibyte).toFixed(1)} GiB`;
  return array > gibibyte ? `asked for ${(array / gibibyte).toFixed(1)} GiB at once` : undefined;
}

beforeAll(watchAllocations);

describe.each(kinds)('$name', (kind) => {
  it('damaged at random', { timeout: all === undefined ? 120_000 + 1000 * slice : 24 * 3600_000 }, async () => {
    // Warm: what is compiled and cached on the first calls is not the file's doing.
    for (let seed = 0; seed < 20; seed++) await answer(kind, kind.damage(random(seed)), 0);
    const warm = maxBytes();
    const faults: string[] = [];
    const most = { seconds: 0, growth: 0, array: 0 };
    const [start, count] = [performance.now(), all === undefined ? Infinity : Math.ceil((all * kind.share) / 1000)];
    let seed = first;
    for (; seed < first + count && (all !== undefined || performance.now() < start + 1000 * slice) && faults.length < 5; seed++) {
      const { fault, ...figures } = await answer(kind, kind.damage(random(seed)), warm);
      if (fault !== undefined) faults.push(`seed ${seed}: ${fault}`);
      for (const key of ['seconds', 'growth', 'array'] as const) most[key] = Math.max(most[key], figures[key]);
    }
    record({ what: kind.name, seed: first, count: seed - first, faults, seconds: (performance.now() - start) / 1000, most });
    expect(faults).toEqual([]);
  });

  const folder = join(kept, kind.name.replace(/, /g, '-').replace(/ /g, '-'));
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  if (names.length > 0) it.each(names)('kept: %s', async (name) => {
    expect((await answer(kind, readFileSync(join(folder, name)), maxBytes())).fault).toBeUndefined();
  });
});

it('shares are of a thousand', () => {
  expect(kinds.reduce((sum, kind) => sum + kind.share, 0)).toBe(1000);
  expect(Math.min(...kinds.map((kind) => kind.share))).toBeGreaterThanOrEqual(20);
});
