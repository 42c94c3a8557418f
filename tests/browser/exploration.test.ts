import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { firn, temporaryFolder } from '../cli/firn.js';
import { chromiumMissing, launchChromium } from '../support/chromium.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe(`the page that explore writes${chromiumMissing === undefined ? '' : ` (skipped: ${chromiumMissing})`}`, () => {
  it.skipIf(chromiumMissing !== undefined)('draws its plot without a network, for any two measures', async () => {
    const path = join(folder, 'k2.html');
    expect(firn('explore', 'examples/k2-mini.firn', '--vary', 'experts=32,64,128', '-o', path).status).toBe(0);
    const browser = await launchChromium({ webgpu: false });
    try {
      const page = await (await browser.newContext({ offline: true })).newPage();
      const errors: string[] = [];
      page.on('pageerror', (e) => errors.push(e.message));
      await page.goto(`file://${path}`);
      await page.waitForSelector('#plot svg');
      const title = (text: string): Promise<number> => page.locator('#plot svg text', { hasText: text }).count();
      expect(await title('decode step (s)')).toBe(1);
      await page.selectOption('#x', 'weights');
      await page.waitForSelector('#plot svg text:has-text("weight bytes")');
      expect(await title('decode step (s)')).toBe(0);
      expect(await page.locator('tbody tr').count()).toBe(3);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
