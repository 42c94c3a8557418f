/** Sizes and rates as they are written for people, on the command line and in the page. */

/** 1536 -> '1.50 KiB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

/** 0.0123 -> '12.3 ms', 4.567 -> '4.57 s'. */
function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${(1000 * seconds).toFixed(1)} ms` : `${seconds.toFixed(2)} s`;
}

export function formatRate(tokens: number, seconds: number): string {
  return `${tokens} ${tokens === 1 ? 'token' : 'tokens'} in ${formatSeconds(seconds)} (${(tokens / Math.max(seconds, 1e-9)).toFixed(1)} tokens/s)`;
}
