import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AtomicFile, makeFolder, writeFileAtomically } from '../../runtime/atomic-file.js';

const folder = mkdtempSync(join(tmpdir(), 'firn-atomic-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
mkdirSync(at('full'));
writeFileSync(at('old'), 'old');

describe('a file that cannot be written', () => {
  it.each([
    ['a folder', at('full'), 'it is a folder'],
    ['no folder around it', at('absent/x'), 'its folder does not exist'],
    ['a file as its folder', at('old/x'), 'a part of its path is not a folder'],
    ['a device', '/dev/null', 'it is not a regular file'],
    ['a name that is too long', at('n'.repeat(300)), 'its name is too long'],
  ])('%s: F30, and nothing is left', async (_, path, why) => {
    await expect(writeFileAtomically(path, 'new')).rejects.toMatchObject({ code: 'F30', file: path, cause: `cannot be written: ${why}` });
    expect(readdirSync(folder).sort()).toEqual(['full', 'old']);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
  it('a folder below what holds none', async () => {
    await expect(makeFolder('/proc/absent/x')).rejects.toMatchObject({ code: 'F30' });
    await expect(makeFolder(at('old/x'))).rejects.toMatchObject({ code: 'F30' });
  });
});

describe('a file that is written', () => {
  it('keeps what it replaces until it is whole', async () => {
    const file = await AtomicFile.create(at('old'));
    await file.write(new TextEncoder().encode('half'), 0);
    expect(readFileSync(at('old'), 'utf8')).toBe('old');
    await file.discard();
    await file.discard();
    expect(readdirSync(folder).sort()).toEqual(['full', 'old']);
  });
  it('leaves links and permissions as they are', async () => {
    writeFileSync(at('target'), '');
    chmodSync(at('target'), 0o640);
    symlinkSync('target', at('link'));
    await writeFileAtomically(at('link'), 'new');
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('target'), 'utf8')).toBe('new');
    expect(statSync(at('target')).mode & 0o777).toBe(0o640);
  });
  it('in a new folder', async () => {
    await makeFolder(at('a/b/c'));
    await makeFolder(at('a/b/c'));
    expect(existsSync(at('a/b/c'))).toBe(true);
  });
});
