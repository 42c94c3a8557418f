import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { firn, temporaryFolder } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const spec = 'examples/k2-mini.firn';

describe('explore', () => {
  it('tabulates, and writes CSV, JSON and a page', () => {
    const base = ['explore', spec, '--vary', 'experts=32,64', '--vary', 'active=4,8', '--budget', 'active<=60M', '--context', '1024'];
    const { stdout, status } = firn(...base, '-o', join(folder, 'k2.csv'));
    expect(status).toBe(0);
    expect(stdout).toMatch(/^K2Mini on h200: 4,800 GB\/s.*context 1024, batch 1\nexperts {2}active {2}parameters/);
    expect(stdout).toMatch(/\* on the Pareto front \(more parameters, less decode step\)/);
    const [head, ...rows] = readFileSync(join(folder, 'k2.csv'), 'utf8').trim().split('\n').map((l) => l.split(','));
    expect(head.slice(0, 4)).toEqual(['sparse.experts', 'sparse.active', 'parameters', 'active']);
    expect(rows.map((r) => r.slice(0, 2).join())).toEqual(['32,4', '32,8', '64,4', '64,8']);
    expect(firn(...base, '-o', join(folder, 'k2.json')).status).toBe(0);
    const json = JSON.parse(readFileSync(join(folder, 'k2.json'), 'utf8')) as { variants: { measures: { parameters: number } }[] };
    expect(json.variants.map((v) => String(v.measures.parameters))).toEqual(rows.map((r) => r[2]));
    expect(firn(...base, '-o', join(folder, 'k2.html')).status).toBe(0);
    const page = readFileSync(join(folder, 'k2.html'), 'utf8');
    expect(page).not.toMatch(/<(script|link|img)[^>]*(src|href)=/);
    expect(page).toContain('<td>32</td>');
    expect(page.match(/<\/script>/g)).toHaveLength(3);
  });
  it.each([
    [2, ['--vary', 'experts'], /Write it as name=value,value/],
    [2, ['--budget', 'speed<=3'], /'speed' is not measured/],
    [2, ['--front', 'beauty'], /'beauty' is not measured; what is: parameters/],
    [1, ['--device', 'tpu'], /error\[C31\]: 'tpu' is no device\n.*fix: name h200, h100 or cpu/],
    [1, ['-o', 'x.pdf'], /error\[C30\].*\n.*\.csv, \.json or \.html/],
    [1, ['--vary', 'exprts=3'], /error\[E0650\].*`exprts`[\s\S]*did you mean `sparse.experts`/],
  ] as [number, string[], RegExp][])('%i: %s', (status, args, message) => {
    const result = firn('explore', spec, ...args);
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(status);
  });
  it('takes figures of a device, and whole layers as values', () => {
    const { stdout, status } = firn('explore', spec, '--vary', 'dense=swiglu(width: 704),swiglu(width: 1408)', '--device', 'bandwidth=5e10,flops=1e11', '--json');
    expect(status).toBe(0);
    const { variants, device } = JSON.parse(stdout) as { variants: { measures: { parameters: number; decode: number } }[]; device: { bandwidth: number } };
    expect(device.bandwidth).toBe(5e10);
    expect(variants[1].measures.parameters - variants[0].measures.parameters).toBe(3 * 512 * 704);
    expect(variants[1].measures.decode).toBeGreaterThan(variants[0].measures.decode);
  });
});
