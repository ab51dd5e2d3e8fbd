/** Reads a WASM binary as far as the build's checks and the generated types need it. */

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface WasmFunction extends FunctionType {
  readonly name: string;
  /** Names of the parameters, where the binary has a name section. */
  readonly parameterNames: readonly string[];
}

export interface WasmBinary {
  readonly sizeBytes: number;
  /** `module.name` of each import. */
  readonly imports: readonly string[];
  readonly functions: readonly WasmFunction[];
  /** Names of exports that are not functions. */
  readonly otherExports: readonly string[];
  readonly mutableGlobals: number;
  readonly dataSegments: number;
  readonly hasStart: boolean;
}

const VALUE_TYPES: Readonly<Record<number, ValueType>> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  123: 'v128',
};

class Reader {
  private position: number;
  private readonly bytes: Uint8Array;
  private readonly end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }
  get done(): boolean {
    return this.position >= this.end;
  }
  u8(): number {
    return this.bytes[this.position++] as number;
  }
  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
  skip(count: number): void {
    this.position += count;
  }
  text(): string {
    const length = this.u32();
    const start = this.position;
    this.skip(length);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }
  /** The next `length` bytes as a reader of their own. */
  slice(length: number): Reader {
    const start = this.position;
    this.skip(length);
    return new Reader(this.bytes, start, start + length);
  }
  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }
  valueType(): ValueType {
    const code = this.u8();
    const type = VALUE_TYPES[code];
    if (type === undefined) throw new Error(`value type ${code} is not expected in the core`);
    return type;
  }
  limits(): void {
    const flags = this.u8();
    this.u32();
    if ((flags & 1) !== 0) this.u32();
  }
}

export function readWasm(bytes: Uint8Array): WasmBinary {
  const types: FunctionType[] = [];
  const typeOfFunction: number[] = [];
  const imports: string[] = [];
  const exports: { name: string; kind: number; index: number }[] = [];
  const localNames = new Map<number, string[]>();
  let mutableGlobals = 0;
  let dataSegments = 0;
  let hasStart = false;

  const file = new Reader(bytes, 8, bytes.length);
  while (!file.done) {
    const id = file.u8();
    const section = file.slice(file.u32());
    if (id === 1) {
      const count = section.u32();
      for (let i = 0; i < count; i++) {
        if (section.u8() !== 0x60) throw new Error('only function types are expected in the core');
        const parameters = section.list(() => section.valueType());
        types.push({ parameters, results: section.list(() => section.valueType()) });
      }
    } else if (id === 2) {
      const count = section.u32();
      for (let i = 0; i < count; i++) {
        imports.push(`${section.text()}.${section.text()}`);
        const kind = section.u8();
        if (kind === 0) typeOfFunction.push(section.u32());
        else if (kind === 2) section.limits();
        else throw new Error(`an import of kind ${kind} is not expected in the core`);
      }
    } else if (id === 3) {
      typeOfFunction.push(...section.list(() => section.u32()));
    } else if (id === 6) {
      mutableGlobals = countMutableGlobals(section);
    } else if (id === 7) {
      exports.push(
        ...section.list(() => ({
          name: section.text(),
          kind: section.u8(),
          index: section.u32(),
        })),
      );
    } else if (id === 8) {
      hasStart = true;
    } else if (id === 11) {
      dataSegments = section.u32();
    } else if (id === 0 && section.text() === 'name') {
      readLocalNames(section, localNames);
    }
  }

  return {
    sizeBytes: bytes.length,
    imports,
    functions: exports
      .filter((item) => item.kind === 0)
      .map(({ name, index }) => ({
        name,
        ...(types[typeOfFunction[index] as number] as FunctionType),
        parameterNames: localNames.get(index) ?? [],
      })),
    otherExports: exports.filter((item) => item.kind !== 0).map((item) => item.name),
    mutableGlobals,
    dataSegments,
    hasStart,
  };
}

function countMutableGlobals(section: Reader): number {
  const count = section.u32();
  let mutable = 0;
  for (let i = 0; i < count; i++) {
    section.valueType();
    mutable += section.u8();
    // The initialiser: one constant instruction and `end`.
    const opcode = section.u8();
    if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23) {
      while (section.u8() >= 128);
    } else if (opcode === 0x43) section.skip(4);
    else if (opcode === 0x44) section.skip(8);
    else throw new Error(`a global initialised by opcode ${opcode} is not expected in the core`);
    section.u8();
  }
  return mutable;
}

function readLocalNames(section: Reader, names: Map<number, string[]>): void {
  while (!section.done) {
    const kind = section.u8();
    const part = section.slice(section.u32());
    if (kind !== 2) continue;
    const count = part.u32();
    for (let i = 0; i < count; i++) {
      const index = part.u32();
      const locals: string[] = [];
      const length = part.u32();
      for (let j = 0; j < length; j++) locals[part.u32()] = part.text();
      names.set(index, locals);
    }
  }
}
