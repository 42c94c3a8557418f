/** Where browser tests get a browser: the system's Chromium, whose WebGPU runs on its own software rasteriser. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const executable = process.env.FIRN_CHROMIUM
  ?? (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));

/** Why there is no browser here, with the command that installs it; undefined if there is one, or must be. */
export const chromiumMissing = executable === undefined && process.env.FIRN_REQUIRE_CHROMIUM !== '1' ? 'no Chromium: apt-get install -y --no-install-recommends chromium' : undefined;

/** `webgpu`: false for a browser that finds no adapter. */
export async function launchChromium({ webgpu = true }: { readonly webgpu?: boolean } = {}): Promise<Browser> {
  if (executable === undefined) throw new Error('FIRN_REQUIRE_CHROMIUM is set, but there is no chromium in PATH');
  const gpu = webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-unsafe-swiftshader'] : [];
  return chromium.launch({ executablePath: executable, args: ['--no-sandbox', ...gpu] });
}
