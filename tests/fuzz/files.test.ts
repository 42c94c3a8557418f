/**
 * Damaged files of every kind: each is answered, within a second and a gigabyte. A slice by default; FIRN_FUZZ_FILES says
 * how many in all, FIRN_FUZZ_SEED where the seeds start. `kept/` holds files that once were answered badly.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../cli/firn.js';
import { random } from './mutate.js';
import { kinds, type Kind } from './readers.js';

const wanted = process.env.FIRN_FUZZ_FILES === undefined ? undefined : Math.ceil(Number(process.env.FIRN_FUZZ_FILES) / kinds.length);
const first = Number(process.env.FIRN_FUZZ_SEED ?? 1);
/** Of CPU time; the slice of every test run shares its machine with other tests. */
const limit = wanted === undefined ? 5 : 1;
const kept = join(root, 'tests', 'fuzz', 'kept');

/** What is wrong with the answer to a file; undefined if nothing is. CPU time, since tests share their machine. */
async function fault(kind: Kind, bytes: Uint8Array): Promise<string | undefined> {
  const before = process.cpuUsage();
  try {
    await kind.read(bytes);
  } catch (error) {
    return (error as Error).stack;
  }
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  return seconds > limit ? `took ${seconds.toFixed(1)} s` : undefined;
}

describe.each(kinds)('$name', (kind) => {
  it('damaged at random', { timeout: wanted === undefined ? 120_000 : 24 * 3600_000 }, async () => {
    // Warm: what is compiled and cached on the first call is not the file's doing.
    await fault(kind, kind.damage(random(0)));
    const faults: string[] = [];
    const end = performance.now() + 1500;
    for (let seed = first; wanted === undefined ? performance.now() < end : seed < first + wanted; seed++) {
      const found = await fault(kind, kind.damage(random(seed)));
      if (found !== undefined) faults.push(`seed ${seed}: ${found}`);
      if (faults.length === 5) break;
    }
    expect(faults).toEqual([]);
    expect(process.resourceUsage().maxRSS).toBeLessThan(3 * 2 ** 20);
  });

  const folder = join(kept, kind.name.replace(/, /g, '-').replace(/ /g, '-'));
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  if (names.length > 0) it.each(names)('kept: %s', async (name) => {
    expect(await fault(kind, readFileSync(join(folder, name)))).toBeUndefined();
  });
});
