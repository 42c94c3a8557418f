/** Published tokenizers in the page: text in, text out, as the command line gives it with the same files. */
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsWriter } from '../../runtime/safetensors-writer.js';
import { firn, temporaryFolder } from '../cli/firn.js';
import { families, goldenFolder } from '../golden/families.js';
import { bigramSpec } from '../support/bigram-spec.js';
import { chromiumMissing, launchChromium } from '../support/chromium.js';
import { uniform } from '../support/random.js';
import { serve } from '../support/static-server.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });
const folder = temporaryFolder();
/** Kimi's published tokenizer is not part of the project. */
const kimiTokenizer = join(goldenFolder, '..', 'data', 'kimi-tokenizer');
let browser: Browser;

if (chromiumMissing !== undefined) describe('tokenizers in the page', () => it.skip(`skipped: ${chromiumMissing}`, () => undefined));

/** What page and command line write behind `prompt`, from the same spec and weights. */
async function bothTexts(name: string, spec: string, weights: string, prompt: string): Promise<{ page: string; loaded: string; commandLine: string }> {
  const site = join(folder, `${name}-site`);
  expect(firn('compile', spec, '--target', 'wgsl', '--weights', weights, '--context', '64', '-o', site)).toMatchObject({ status: 0 });
  const server = await serve({ folders: { site, weights } });
  const page = await browser.newPage();
  await page.goto(`${server.url}/site/index.html?weights=../weights/`);
  const idle = 'body[aria-busy=false]';
  await page.waitForSelector(idle);
  await page.click('#url-form button');
  await page.waitForSelector(idle);
  expect(await page.textContent('#failure-text')).toBe('');
  await page.fill('#prompt', prompt);
  await page.fill('#max-tokens', '8');
  await page.click('#generate');
  await page.waitForSelector(idle);
  const [text, loaded] = [await page.textContent('#text'), await page.textContent('#loaded')];
  await page.close();
  await server.close();
  const run = firn('run', spec, '--weights', weights, '--prompt', prompt, '--max-tokens', '8', '--context', '64', '--device', 'reference', '--json');
  return { page: text!, loaded: loaded!, commandLine: JSON.parse(run.stdout).results[0].text };
}

describe.skipIf(chromiumMissing !== undefined)('tokenizers in the page', () => {
  beforeAll(async () => { browser = await launchChromium(); });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.skipIf(!families.includes('llama31-tiny'))('tokenizer.json', async () => {
    const weights = join(goldenFolder, 'llama31-tiny');
    const spec = join(folder, 'llama.firn');
    expect(firn('import', weights, '-o', spec)).toMatchObject({ status: 0 });
    const { page, loaded, commandLine } = await bothTexts('llama', spec, weights, 'Snow falls, café 雪 <|begin_of_text|>');
    expect(loaded).toContain('text by tokenizer.json');
    expect(page).toBe(commandLine);
    expect(page).not.toBe('');
  });

  it.skipIf(!existsSync(join(kimiTokenizer, 'tiktoken.model')))('tiktoken.model of Kimi', async () => {
    const weights = join(folder, 'kimi');
    mkdirSync(weights);
    for (const name of ['tiktoken.model', 'tokenizer_config.json']) copyFileSync(join(kimiTokenizer, name), join(weights, name));
    const shape = [163840, 8];
    const numbers = [uniform(1), uniform(2)];
    const writer = await SafetensorsWriter.create(join(weights, 'model.safetensors'), ['embedding', 'head'].map((name) => ({ name, dtype: 'F32', shape })));
    for (const [i, name] of ['embedding', 'head'].entries()) await writer.write(name, new Uint8Array(Float32Array.from({ length: shape[0] * shape[1] }, numbers[i]).buffer));
    await writer.commit();
    const spec = join(folder, 'kimi.firn');
    writeFileSync(spec, bigramSpec('Kimi', shape[0]));
    const { page, loaded, commandLine } = await bothTexts('kimi', spec, weights, 'Snow falls, 雪 <|im_end|>');
    expect(loaded).toContain('text by tiktoken.model');
    expect(page).toBe(commandLine);
    expect(page).not.toBe('');
  });
});
