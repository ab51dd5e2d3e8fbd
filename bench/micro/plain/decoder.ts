/** The decoders written by hand, by the names of the shapes (`streams.ts`). */
import type { PlainDecoder } from './decoder-base.ts';
import { Delimiter, Line } from './delimited.ts';
import { Field1, Field2Little, Field3Big, Field4Big, Field8Little } from './length-field.ts';
import { Fixed, Raw, Varint } from './measured.ts';

const BY_NAME: Readonly<
  Record<
    string,
    new (
      input: Uint8Array,
      roomBytes: number,
      capacity: number,
      frameBytes: number,
    ) => PlainDecoder
  >
> = {
  lengthField1: Field1,
  lengthField2le: Field2Little,
  lengthField3be: Field3Big,
  lengthField4be: Field4Big,
  lengthField8le: Field8Little,
  varint: Varint,
  fixed: Fixed,
  raw: Raw,
  line: Line,
  delimiter: Delimiter,
};

export function plainDecoder(
  shape: string,
  input: Uint8Array,
  roomBytes: number,
  capacity: number,
  frameBytes: number,
): PlainDecoder {
  const Decoder = BY_NAME[shape];
  if (Decoder === undefined) throw new Error(`no decoder by hand for ${shape}`);
  return new Decoder(input, roomBytes, capacity, frameBytes);
}
