/** `tokenizer.json`, through the library that its format belongs to. */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { ByteStream, type TokenDecoder, type Tokenizer } from './tokenizer.js';
import { byteLevel, isByteLevel, piecesOf, type Definition } from './byte-level.js';
import { definitionFault, sizeOf } from './check-definition.js';
import { TokenizerError } from './tokenizer-error.js';

/** `config`: text of tokenizer_config.json, if there is one. Throws TokenizerError. */
export function huggingFaceTokenizer(file: string, text: string, config: string | undefined): Tokenizer {
  const definition = definitionOf(file, text);
  const settings = config === undefined ? {} : parse(file.replace(/[^/]*$/, 'tokenizer_config.json'), config);
  const added = definition.added_tokens ?? [];
  const recognising = construct(file, definition, settings);
  // Special tokens that are not to be recognised are not told to the library at all.
  let plain: Library | undefined;
  const withoutSpecials = (): Library => (plain ??= construct(file, { ...definition, added_tokens: added.filter((t) => !t.special) }, settings));
  const nameOf = new Map(added.map((t) => [t.id, t.content]));
  const bytesOf = (id: number): Uint8Array | string => nameOf.get(id) ?? byteLevel(recognising.id_to_token(id)) ?? `<${id}>`;
  return {
    name: 'tokenizer.json', size: sizeOf(definition),
    encode: (input, specials) => usable(file, () => idsOf((specials ? recognising : withoutSpecials()).encode(input, { add_special_tokens: specials }))),
    pieces: () => piecesOf(definition, recognising),
    decoder: () => (isByteLevel(definition.decoder) ? new ByteStream(bytesOf) : new WindowDecoder(recognising)),
  };
}

function definitionOf(file: string, text: string): Definition {
  const json = parse(file, text);
  const fault = definitionFault(json);
  if (fault !== undefined) throw new TokenizerError('T02', file, fault, 'download the file again');
  return json as Definition;
}

function idsOf({ ids, tokens }: { readonly ids: readonly number[]; readonly tokens: readonly string[] }): number[] {
  const missing = ids.findIndex((id) => typeof id !== 'number');
  if (missing >= 0) throw new Error(`it has neither the token '${tokens[missing]}' nor one for unknown text`);
  return [...ids];
}

function parse(file: string, text: string): object {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'object' && json !== null) return json;
  } catch (error) {
    throw new TokenizerError('T02', file, `is not JSON: ${(error as Error).message}`, 'download the file again');
  }
  throw new TokenizerError('T02', file, 'is not a JSON object', 'download the file again');
}

function construct(file: string, definition: Definition, settings: object): Library {
  return usable(file, () => new Library(definition, settings));
}

/** The library's parts do not check their options; some are read only when there is text. */
function usable<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new TokenizerError('T03', file, `cannot be used: ${(error as Error).message}`, 'give token ids instead (--tokens IDS.json)');
  }
}

/**
 * For decoders that rewrite text (word boundaries, byte fallback): an id's text is what it adds to that of the ids before
 * it. Text that ends in U+FFFD waits, since the next id may complete the character; a character has at most four bytes.
 */
class WindowDecoder implements TokenDecoder {
  /** Ids whose text is out already (context for the next), then those whose text is not. */
  private shown: number[] = [];
  private waiting: number[] = [];

  constructor(private readonly library: Library) {}

  push(id: number): string {
    this.waiting.push(id);
    const text = this.pending();
    return text.endsWith('\ufffd') && this.waiting.length < 4 ? '' : this.show(text);
  }

  end(): string {
    return this.waiting.length === 0 ? '' : this.show(this.pending());
  }

  private show(text: string): string {
    this.shown = this.waiting;
    this.waiting = [];
    return text;
  }

  private pending(): string {
    const before = this.decode(this.shown);
    return this.decode([...this.shown, ...this.waiting]).slice(before.length);
  }

  private decode(ids: number[]): string {
    return ids.length === 0 ? '' : this.library.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }
}
