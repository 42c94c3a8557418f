/** A number as people write it in a spec: 1e-6, 50000, 2.827. */
export function printNumber(value: number): string {
  const text = String(value);
  const [, digits, exponent] = /^(-?[\d.]+)e([+-]?\d+)$/.exec(text) ?? [];
  if (exponent !== undefined) return `${digits}e${Number(exponent)}`;
  if (value === 0 || Math.abs(value) >= 1e-3) return text;
  return value.toExponential().replace('e+', 'e');
}
