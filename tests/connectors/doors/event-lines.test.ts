import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readEventLines } from '../../../connectors/doors/file/event-lines.ts';

async function linesOf(chunks: Uint8Array[], eventBytesMax?: number) {
  const input = Readable.from(chunks, { objectMode: true });
  const lines: { lineNumber: number; text: string; refused?: string }[] = [];
  const options = eventBytesMax === undefined ? { input } : { input, eventBytesMax };
  for await (const { lineNumber, bytes, refused } of readEventLines('-', options)) {
    const text = Buffer.from(bytes).toString();
    lines.push({ lineNumber, text, ...(refused && { refused: refused.message }) });
  }
  return lines;
}

describe('event lines', () => {
  test('a mark at the start, CRLF, blank lines and a missing last line end are tolerated', async () => {
    const lines = await linesOf([Buffer.from('\ufeff{"a":1}\r\n\r\n  \n{"b":2}')]);
    expect(lines).toEqual([
      { lineNumber: 1, text: '{"a":1}' },
      { lineNumber: 4, text: '{"b":2}' },
    ]);
  });

  test('a line that is too long is refused by the name of its limit, and the next one comes', async () => {
    const bytesMax = 8;
    const long = 'x'.repeat(50);
    const fits = 'y'.repeat(bytesMax);
    expect(await linesOf([Buffer.from(`${long}\n${fits}\r\n`)], bytesMax)).toEqual([
      {
        lineNumber: 1,
        text: long.slice(0, bytesMax),
        refused: `An event must have at most ${bytesMax} bytes, got ${long.length}.`,
      },
      { lineNumber: 2, text: fits },
    ]);
  });

  test('lines do not depend on how the bytes are cut, plain or gzip', async () => {
    const text = fc.array(
      fc.string({ unit: 'grapheme' }).map((line) => line.replace(/[\r\n]/g, '')),
    );
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (lines, size, isGzip) => {
          const plain = Buffer.from(lines.join('\n'));
          const bytes = isGzip ? gzipSync(plain) : plain;
          const chunks: Uint8Array[] = [];
          for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size));
          expect(await linesOf(chunks)).toEqual(await linesOf([plain]));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a file is read by its path; one that is missing or broken is an error that says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lapse-lines-'));
    const collect = async (path: string) => {
      const texts: string[] = [];
      for await (const { bytes } of readEventLines(path)) texts.push(Buffer.from(bytes).toString());
      return texts;
    };
    try {
      const [plain, zipped, cut] = ['a.ndjson', 'a.ndjson.gz', 'cut.gz'].map((n) =>
        join(folder, n),
      );
      const gzip = gzipSync('{}\n[]\n');
      await writeFile(plain!, '{}\n[]\n');
      await writeFile(zipped!, gzip);
      await writeFile(cut!, gzip.subarray(0, -9));
      expect(await collect(plain!)).toEqual(['{}', '[]']);
      expect(await collect(zipped!)).toEqual(['{}', '[]']);
      await expect(collect(cut!)).rejects.toMatchObject({ code: 'ERR_FILE_READ' });
      await expect(collect(join(folder, 'none'))).rejects.toMatchObject({
        code: 'ERR_FILE_MISSING',
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
