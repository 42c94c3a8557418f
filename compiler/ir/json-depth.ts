/**
 * Levels of lists and objects in a JSON text, the outermost being 1: JSON.parse takes any number, code that walks the value by
 * recursion does not. Of a text that is not JSON it may be anything.
 */
export function jsonDepth(text: string): number {
  let [depth, deepest, quoted] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) quoted = !quoted;
    else if (quoted) i += Number(c === 0x5c);
    else if (c === 0x5b || c === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x5d || c === 0x7d) depth--;
  }
  return deepest;
}
