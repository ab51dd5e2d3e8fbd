/** Lines of a file that another process writes. */
import { type FileHandle, open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

export class FileLines {
  private readonly file: FileHandle;
  private readonly line: (text: string) => void;
  private readonly decoder = new StringDecoder('utf8');
  private readonly chunk = Buffer.alloc(65536);
  private positionBytes = 0;
  /** The line that has not ended yet. */
  private begun = '';

  private constructor(file: FileHandle, line: (text: string) => void) {
    this.file = file;
    this.line = line;
  }

  /** Hands each line that is written to the file at `path` to `line`, until `ended` is settled and all is read. */
  static async follow(
    path: string,
    line: (text: string) => void,
    ended: Promise<unknown>,
  ): Promise<void> {
    const file = await open(path, 'r');
    try {
      const lines = new FileLines(file, line);
      let isOver = false;
      const over = ended.then(
        () => {
          isOver = true;
        },
        () => {
          isOver = true;
        },
      );
      while (!isOver) {
        await lines.readOn();
        await Promise.race([over, sleep(POLL_MS)]);
      }
      await lines.readOn();
      lines.finish();
    } finally {
      await file.close();
    }
  }

  private async readOn(): Promise<void> {
    for (;;) {
      const { bytesRead } = await this.file.read(
        this.chunk,
        0,
        this.chunk.length,
        this.positionBytes,
      );
      if (bytesRead === 0) return;
      this.positionBytes += bytesRead;
      const text = this.begun + this.decoder.write(this.chunk.subarray(0, bytesRead));
      const lines = text.split(/\r?\n/);
      this.begun = lines.pop() ?? '';
      lines.forEach(this.line);
    }
  }

  private finish(): void {
    const rest = this.begun + this.decoder.end();
    if (rest !== '') this.line(rest);
  }
}
