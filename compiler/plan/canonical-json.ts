/**
 * One text per value: keys sorted, no white space, absent and undefined fields alike left out. What hashes are taken of.
 * Plans and programs hold finite numbers only; anything else is a defect.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** A copy whose keys come in order, which is all that the native writer needs to be canonical. */
function sorted(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`plan: ${value} has no JSON form`);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const record = value as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(record).sort()) out[key] = sorted(record[key]);
  return out;
}
