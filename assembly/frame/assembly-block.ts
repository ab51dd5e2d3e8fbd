/**
 * The block in which a frame that spans inputs is put together. It grows with
 * the bytes received, never with the bytes announced: at most twice what is in
 * it (and the arena's smallest block). Its first 16 bytes chain it onto
 * `DecodeContext.released` once its frame was delivered.
 */
import { arenaAlloc, arenaBlockBytes, arenaFree, arenaGrow } from '../arena';
import { DecodeContext, Decoder } from '../layout';

export const BLOCK_HEADER: u32 = 16;

// @ts-ignore: decorator
@inline
export function blockPayload(decoder: Decoder): usize {
  return decoder.assembly + BLOCK_HEADER;
}

/**
 * Adds `length` bytes to the assembly, which is made if there is none.
 * `ceiling` is the most payload that this frame can come to, so that growing
 * ahead never goes past it. False: the arena is exhausted, nothing changed.
 */
export function appendToBlock(
  context: DecodeContext,
  decoder: Decoder,
  source: usize,
  length: u32,
  ceiling: u32,
): bool {
  const held = decoder.assemblyLength;
  const need = held + length;
  let block = decoder.assembly;
  if (block == 0) {
    block = arenaAlloc(context.arena, need + BLOCK_HEADER);
    if (block == 0) return false;
    decoder.assembly = block;
  } else {
    const room: u32 = arenaBlockBytes(context.arena, block) - BLOCK_HEADER;
    if (need > room) {
      block = growBlock(context, decoder, max(need, min(ceiling, held << 1)));
      if (block == 0) return false;
    }
  }
  copyBytes(block + BLOCK_HEADER + held, source, length);
  decoder.assemblyLength = need;
  decoder.copied += length;
  return true;
}

/** In place if the arena can, else by moving. Returns the block, or 0. */
function growBlock(context: DecodeContext, decoder: Decoder, payload: u32): usize {
  const arena = context.arena;
  const old = decoder.assembly;
  if (arenaGrow(arena, old, payload + BLOCK_HEADER)) return old;
  const block = arenaAlloc(arena, payload + BLOCK_HEADER);
  if (block == 0) return 0;
  memory.copy(block + BLOCK_HEADER, old + BLOCK_HEADER, decoder.assemblyLength);
  decoder.copied += decoder.assemblyLength;
  arenaFree(arena, old);
  decoder.assembly = block;
  return block;
}

/** Bulk copies cost a call; a peer that dribbles sends a byte at a time. */
// @ts-ignore: decorator
@inline
function copyBytes(target: usize, source: usize, length: u32): void {
  if (length == 1) store<u8>(target, load<u8>(source));
  else memory.copy(target, source, length);
}

/** Its frame was delivered: the bytes stay until `reclaimBlocks`. */
export function releaseBlock(context: DecodeContext, decoder: Decoder): void {
  store<usize>(decoder.assembly, context.released);
  context.released = decoder.assembly;
  decoder.assembly = 0;
  decoder.assemblyLength = 0;
}

/** Nobody has seen its bytes: it goes at once. */
export function dropBlock(context: DecodeContext, decoder: Decoder): void {
  if (decoder.assembly != 0) arenaFree(context.arena, decoder.assembly);
  decoder.assembly = 0;
  decoder.assemblyLength = 0;
}

/** Frees every released block; returns how many there were. */
export function reclaimBlocks(context: DecodeContext): u32 {
  let block = context.released;
  let count: u32 = 0;
  context.released = 0;
  while (block != 0) {
    const next = load<usize>(block);
    arenaFree(context.arena, block);
    block = next;
    count++;
  }
  return count;
}
