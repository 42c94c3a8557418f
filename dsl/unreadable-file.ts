/** What a loader found cannot be read as a text. */
export class UnreadableFile extends Error {
  constructor(readonly path: string, readonly reason: string) {
    super(`${path}: ${reason}`);
  }
}
