/**
 * `tiktoken.model`: lines "base64(bytes) rank", byte-pair encoding by rank after splitting with a pattern that the file
 * does not hold. The pattern here is that of the published Python class `TikTokenTokenizer`, which also reserves the 256
 * ids after the ranks for special tokens; `tokenizer_config.json` names some of them.
 */
import { mergePairs, type Ranks } from './merge-pairs.js';
import { readPattern } from './split-pattern.js';
import { ByteStream, splitSpecials, type Tokenizer } from './tokenizer.js';
import { TokenizerError } from './tokenizer-error.js';

const reserved = 256;
/** Where the reference cuts long texts before it applies the pattern, in code points. */
const longest = { text: 400_000, run: 25_000 };

/** Letters of a class, Han excluded: Han characters are words of their own. */
const letters = (classes: string): string => `[[${classes}]&&[^\\p{Script=Han}]]`;
const lower = letters('\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}'), upper = letters('\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}');
// JavaScript's \s has U+FEFF and lacks U+0085.
const space = '\\p{White_Space}';
// What Python's str.isspace() holds for space.
const pythonSpace = '[\\p{White_Space}\\u001c-\\u001f]';
// Contractions in any case; a long s folds to s.
const contraction = "(?:'(?:[sS\\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))?";
const pattern = [
  '\\p{Script=Han}+', `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${contraction}`, `[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${contraction}`,
  '\\p{N}{1,3}', ` ?[^${space}\\p{L}\\p{N}]+[\\r\\n]*`, `${space}*[\\r\\n]+`, `${space}+(?!\\P{White_Space})`, `${space}+`,
].join('|');

/** `config`: text of tokenizer_config.json, if there is one. Throws TokenizerError. */
export function tiktokenTokenizer(file: string, model: string, config: string | undefined): Tokenizer {
  const ranks = readRanks(file, model);
  const bytesOf: string[] = [];
  for (const [bytes, rank] of ranks) bytesOf[rank] = bytes;
  const names = specialNames(file, config);
  const specials = new Map<string, number>();
  for (let id = ranks.size; id < ranks.size + reserved; id++) specials.set(names.get(id) ?? `<|reserved_token_${id}|>`, id);
  const nameOf = new Map([...specials].map(([name, id]) => [id, name]));
  const words = new RegExp(pattern, 'gv');
  return {
    name: 'tiktoken.model', size: ranks.size + reserved,
    encode(text, recognise) {
      const out: number[] = [];
      for (const stretch of stretches(text)) {
        for (const part of recognise ? splitSpecials(stretch, specials) : [stretch]) {
          if (typeof part === 'number') out.push(part);
          else for (const [word] of part.matchAll(words)) mergePairs(utf8(word), ranks, out);
        }
      }
      return out;
    },
    pieces: () => ({
      tokens: Array.from(bytesOf, latin1), specials: [...specials].map(([text, id]) => ({ text, id, special: true })), prefix: [], suffix: [],
      pattern: readPattern(pattern), merges: undefined, whole: true, cuts: { ...longest, space: readPattern(pythonSpace).sets[0] },
    }),
    decoder: () => new ByteStream((id) => nameOf.get(id) ?? (bytesOf[id] === undefined ? `<${id}>` : latin1(bytesOf[id]))),
  };
}

function readRanks(file: string, model: string): Ranks {
  const ranks = new Map<string, number>();
  const bad = (line: string): TokenizerError => new TokenizerError('T02', file, `line ${ranks.size + 1} is not "base64 rank" with the next rank: '${line.slice(0, 40)}'`, 'download the file again');
  for (const line of model.split('\n')) {
    if (line === '') continue;
    const [, text, rank] = /^([A-Za-z0-9+/]+=*) (\d+)$/.exec(line) ?? [];
    if (text === undefined || Number(rank) !== ranks.size) throw bad(line);
    ranks.set(atob(text), ranks.size);
    if (ranks.size !== Number(rank) + 1) throw bad(line);
  }
  for (let byte = 0; byte < 256; byte++) {
    if (!ranks.has(String.fromCharCode(byte))) throw new TokenizerError('T02', file, `has no rank for the byte ${byte}`, 'download the file again');
  }
  return ranks;
}

function specialNames(file: string, config: string | undefined): Map<number, string> {
  if (config === undefined) return new Map();
  const path = file.replace(/[^/]*$/, 'tokenizer_config.json');
  try {
    const { added_tokens_decoder: added = {}, tokenizer_class: kind } = JSON.parse(config) as { added_tokens_decoder?: Record<string, { content: string }>; tokenizer_class?: string };
    if (kind !== undefined && kind !== 'TikTokenTokenizer') throw new TokenizerError('T03', path, `says that tiktoken.model belongs to the class '${kind}', whose way of splitting text is not known here`, 'give token ids instead (--tokens IDS.json), or convert it to tokenizer.json');
    return new Map(Object.entries(added).map(([id, { content }]) => [Number(id), content]));
  } catch (error) {
    if (error instanceof TokenizerError) throw error;
    throw new TokenizerError('T02', path, `is not what it should be: ${(error as Error).message}`, 'download the file again');
  }
}

function latin1(bytes: string): Uint8Array {
  return Uint8Array.from(bytes, (c) => c.charCodeAt(0));
}

/** One character per byte of UTF-8. */
function utf8(text: string): string {
  let out = '';
  for (const byte of new TextEncoder().encode(text)) out += String.fromCharCode(byte);
  return out;
}

/** Cuts as the reference does: every 400,000 code points, and where more than 25,000 of them in a row are (no) space. */
function* stretches(text: string): Generator<string> {
  // In UTF-16 units a text is at least as long as in code points.
  if (text.length <= longest.run) return yield text;
  const points = [...text];
  for (let from = 0; from < points.length; from += longest.text) {
    const end = Math.min(points.length, from + longest.text);
    let start = from;
    let run = 0;
    for (let i = from; i < end; i++) {
      run = i > from && isSpace(points[i]) === isSpace(points[i - 1]) ? run + 1 : 1;
      if (run <= longest.run) continue;
      yield points.slice(start, i).join('');
      [start, run] = [i, 1];
    }
    yield points.slice(start, end).join('');
  }
}

const spaceCharacter = new RegExp(`^${pythonSpace}$`, 'v');
const isSpace = (character: string): boolean => spaceCharacter.test(character);
