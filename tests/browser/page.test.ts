/**
 * The page that `firn compile --target wgsl` writes, in a real browser: WebGPU on a software rasteriser that offers
 * default limits and neither 16-bit floats nor a GPU. Its tokens are those of the golden, and of the same plan on Dawn.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { WeightSources } from '../../compiler/ir/plan.js';
import { readBundleFiles } from '../../cli/bundle-files.js';
import { generate } from '../../runtime/generate.js';
import { openCheckpoint } from '../../runtime/disk.js';
import { load } from '../../runtime/load-model.js';
import { SafetensorsWriter } from '../../runtime/safetensors-writer.js';
import { firn, temporaryFolder } from '../cli/firn.js';
import { families, goldenFolder, openFamily, type Family } from '../golden/families.js';
import { chromiumMissing, launchChromium } from '../support/chromium.js';
import { openDevice, wgslMissing } from '../support/devices.js';
import { serve, type StaticServer } from '../support/static-server.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const noWgsl = await wgslMissing();
const name = 'k2-tiny-int4';
const weights = join(goldenFolder, name);
const folder = temporaryFolder();
const site = join(folder, 'site');
let family: Family;
let browser: Browser;
let server: StaticServer;
let plain: StaticServer;

/** Tokens [begin, end) of the page's answer to the golden's prompt. */
async function tokensOf(page: Page, count = family.greedy.tokens.length): Promise<number[]> {
  await page.check('#as-ids');
  await page.fill('#prompt', family.prompts[family.greedy.prompt].join(' '));
  await page.fill('#max-tokens', String(count));
  await page.click('#generate');
  expect(await outcome(page)).toMatchObject({ code: '' });
  return (await page.textContent('#text'))!.trim().split(' ').map(Number);
}

async function openPage(url = server.url, from: Browser = browser): Promise<Page> {
  const page = await from.newPage();
  await page.goto(`${url}/site/index.html`);
  await page.waitForSelector(idle);
  return page;
}

async function loadUrl(page: Page, url: string): Promise<void> {
  await page.fill('#url', url);
  await page.click('#url-form button');
}

const idle = 'body[aria-busy=false]';

/** Waits until what was begun has ended; what the page then says. */
async function outcome(page: Page): Promise<{ loaded: string; code: string; text: string; fix: string }> {
  await page.waitForSelector(idle);
  const shown = !await page.isHidden('#failure');
  const [loaded, code, text, fix] = await Promise.all(['loaded', 'failure-code', 'failure-text', 'failure-fix'].map(async (id) => (await page.textContent(`#${id}`))!));
  return shown ? { loaded, code, text, fix } : { loaded, code: '', text: '', fix: '' };
}

const missing = chromiumMissing ?? (families.includes(name) ? undefined : `no goldens in ${goldenFolder}; set FIRN_GOLDENS to their folder`);
if (missing !== undefined) describe('the page', () => it.skip(`skipped: ${missing}`, () => undefined));

describe.skipIf(missing !== undefined)('the page', () => {
  beforeAll(async () => {
    family = await openFamily(name);
    const spec = join(folder, 'model.firn');
    expect(firn('import', weights, '-o', spec)).toMatchObject({ status: 0 });
    expect(firn('compile', spec, '--target', 'wgsl', '--weights', weights, '--context', '64', '-o', site)).toMatchObject({ status: 0 });
    server = await serve({ folders: { site, weights, other: join(goldenFolder, 'mixtral-tiny') } });
    plain = await serve({ folders: { site, weights }, whole: true });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await plain?.close();
    await family?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('loads from an address by parts of the file, and continues as the golden does', async () => {
    const page = await openPage();
    expect(await page.textContent('#device')).toMatch(/^on .*swiftshader/i);
    await loadUrl(page, '../weights/');
    expect(await outcome(page)).toMatchObject({ code: '', loaded: expect.stringMatching(/^loaded, text by bytes, in .* s; memory on the GPU: .* \(weights /) });
    expect(server.requests.filter((r) => /^\/weights\/model\.safetensors bytes=\d+-\d+$/.test(r)).length).toBeGreaterThan(1);
    expect(await tokensOf(page)).toEqual(family.greedy.tokens);
    expect(await page.textContent('#speed')).toMatch(/^prompt \d+ tokens in .* tokens\/s\); decode \d+ tokens in .* tokens\/s\); ended by length$/);
    await page.close();
  });

  it.skipIf(noWgsl !== undefined)('gives the tokens that the same files give on Dawn', async () => {
    const bundle = readBundleFiles(site);
    const sources = JSON.parse(readFileSync(join(site, 'weights.json'), 'utf8')) as WeightSources;
    const device = await openDevice('wgsl');
    const checkpoint = await openCheckpoint(weights);
    const model = await load(bundle, device, { weights: { checkpoint, sources } });
    const { tokens } = await generate(model.session, family.prompts[family.greedy.prompt], { maxTokens: family.greedy.tokens.length });
    expect(tokens).toEqual(family.greedy.tokens);
    await model.close();
    await checkpoint.close();
    await device.close();
  });

  it('loads from a picked folder, and from a server that sends whole files', async () => {
    const page = await openPage(plain.url);
    await page.setInputFiles('#folder', weights);
    await page.click('#load-folder');
    expect(await outcome(page)).toMatchObject({ code: '', loaded: expect.stringContaining('memory on the GPU') });
    expect(await tokensOf(page, 4)).toEqual(family.greedy.tokens.slice(0, 4));
    await loadUrl(page, `${plain.url}/weights/model.safetensors`);
    expect(await outcome(page)).toMatchObject({ code: '', loaded: expect.stringContaining('memory on the GPU') });
    expect(await tokensOf(page, 4)).toEqual(family.greedy.tokens.slice(0, 4));
    await page.close();
  });

  it('runs on random weights, and stops when told to', async () => {
    const page = await openPage();
    await page.click('#load-random');
    expect((await outcome(page)).loaded).toMatch(/^random weights, so the text is noise/);
    await page.fill('#max-tokens', '40');
    await page.fill('#prompt', 'snow');
    await page.click('#generate');
    await page.waitForFunction(() => document.getElementById('text')!.textContent!.length > 0);
    await page.click('#stop');
    await page.waitForSelector(idle);
    expect(await page.textContent('#speed')).toMatch(/ended by aborted$/);
    await page.fill('#prompt', 'x'.repeat(65));
    await page.click('#generate');
    expect(await outcome(page)).toMatchObject({ code: 'R02' });
    await page.close();
  });

  it('loading can be stopped, and begun again', async () => {
    let stalled = 0;
    const slow = await serve({ folders: { site, weights }, intercept: (request) => request.url!.startsWith('/weights/model.safetensors') && stalled++ > 0 });
    const page = await openPage(slow.url);
    await loadUrl(page, '../weights/');
    while (stalled < 2) await page.waitForTimeout(20);
    await page.click('#abort');
    expect(await outcome(page)).toMatchObject({ code: '', loaded: '' });
    expect(await page.isDisabled('#generate')).toBe(true);
    await page.click('#load-random');
    expect((await outcome(page)).code).toBe('');
    await page.close();
    await slow.close();
  });

  it('says what is wrong with a checkpoint', async () => {
    const lacking = join(folder, 'lacking');
    mkdirSync(lacking);
    const checkpoint = await openCheckpoint(weights);
    const kept = [...checkpoint.tensors.values()].filter((t) => t.name !== 'model.norm.weight');
    const writer = await SafetensorsWriter.create(join(lacking, 'model.safetensors'), kept.map(({ name: tensor, dtype, shape }) => ({ name: tensor, dtype, shape })));
    for (const t of kept) await writer.write(t.name, await checkpoint.read(t.name));
    await writer.commit();
    await checkpoint.close();
    const page = await openPage();
    await page.setInputFiles('#folder', lacking);
    await page.click('#load-folder');
    expect(await outcome(page)).toMatchObject({ code: 'F40', text: expect.stringContaining("'model.norm.weight'"), fix: expect.stringMatching(/./) });
    await loadUrl(page, '../other/');
    expect(await outcome(page)).toMatchObject({ code: 'F40', text: expect.stringContaining('stored tensors are missing') });
    await loadUrl(page, '../absent/');
    expect(await outcome(page)).toMatchObject({ code: 'F26' });
    await page.close();
  });

  it('a lost device is reported, and loading opens another', async () => {
    const page = await browser.newPage();
    await page.addInitScript(() => {
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        const device = await request.apply(this, args);
        (globalThis as { lose?: () => void }).lose = () => device.destroy();
        return device;
      };
    });
    await page.goto(`${server.url}/site/index.html`);
    await page.click('#load-random');
    expect((await outcome(page)).code).toBe('');
    await page.fill('#max-tokens', '1000');
    await page.fill('#prompt', 'snow');
    await page.click('#generate');
    await page.waitForFunction(() => document.getElementById('text')!.textContent!.length > 0);
    await page.evaluate(() => (globalThis as unknown as { lose: () => void }).lose());
    expect(await outcome(page)).toMatchObject({ code: 'D22', loaded: '' });
    await page.click('#load-random');
    expect(await outcome(page)).toMatchObject({ code: '', loaded: expect.stringContaining('memory on the GPU') });
    await page.close();
  });

  it('says what the GPU or the browser lacks', async () => {
    const page = await browser.newPage();
    await page.addInitScript(() => Object.defineProperty(GPUDevice.prototype, 'limits', { get: () => ({ maxBufferSize: 4096, maxStorageBufferBindingSize: 1024 }) }));
    await page.goto(`${server.url}/site/index.html`);
    await page.click('#load-random');
    expect(await outcome(page)).toMatchObject({ code: 'D26', text: expect.stringMatching(/has \d{4,} bytes, the device allows 1024 \(maxStorageBufferBindingSize\)/) });
    await page.close();
    const full = await browser.newPage();
    await full.addInitScript(() => { GPUDevice.prototype.popErrorScope = async () => new GPUOutOfMemoryError('no room'); });
    await full.goto(`${server.url}/site/index.html`);
    await full.click('#load-random');
    expect(await outcome(full)).toMatchObject({ code: 'D23', text: expect.stringMatching(/^the device is out of memory: it cannot hold the plan's \d+ bytes \(no room\)$/) });
    await full.close();
    const without = await launchChromium({ webgpu: false });
    expect(await outcome(await openPage(server.url, without))).toMatchObject({ code: 'D20', fix: expect.stringContaining('hardware acceleration') });
    const old = await without.newPage();
    await old.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
    await old.goto(`${server.url}/site/index.html`);
    expect(await outcome(old)).toMatchObject({ code: 'W01', text: 'this browser has no WebGPU' });
    await without.close();
  });

  it('says that files beside it are missing or changed', async () => {
    const page = await browser.newPage();
    await page.route('**/plan.json', (route) => route.fulfill({ status: 404 }));
    await page.goto(`${server.url}/site/index.html`);
    expect(await outcome(page)).toMatchObject({ code: 'W02', text: 'plan.json is not beside this page' });
    await page.unroute('**/plan.json');
    await page.route('**/kernels.json', async (route) => { const answer = await route.fetch(); await route.fulfill({ body: (await answer.text()).replace('"add"', '"subtract"') }); });
    await page.reload();
    expect(await outcome(page)).toMatchObject({ code: 'W02', text: expect.stringContaining('is not the program that the plan was made with') });
    await page.close();
  });
});
