/** The greatest common divisor, not negative; gcd(0, 0) is 0. */
export function gcd(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}
