/* What the kernels of the micro benchmarks have in common. */
#ifndef OVERLAPPED_KERNELS_H
#define OVERLAPPED_KERNELS_H
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 16

/* A piece of work with its data: one pass is step(0) to step(steps - 1). */
struct kernel {
  int64_t number[NUMBERS_MAX];
  uint8_t *input;
  size_t input_bytes;
  void *state;
  int64_t steps;
  int64_t (*step)(struct kernel *, int64_t index); /* units that came out */
  uint32_t (*digest)(struct kernel *);             /* of what the last step left */
  void (*close)(struct kernel *);
};

/* Sets a kernel up; 0, or -1 if the numbers make no sense. */
typedef int open_kernel(struct kernel *);
open_kernel open_decode, open_encode, open_store, open_lock, open_operation, open_queue, open_pool,
    open_packets, open_turn;

#define DIGEST_SEED 0x811c9dc5u

static inline uint32_t mix(uint32_t digest, uint32_t word) {
  return ((digest ^ word) * 0x01000193u) ^ (digest >> 15);
}

static inline uint32_t mix_bytes(uint32_t digest, const uint8_t *bytes, size_t count) {
  digest = mix(digest, (uint32_t)count);
  for (size_t i = 0; i < count; i++) digest = mix(digest, bytes[i]);
  return digest;
}

/* Memory that starts on a cache line. */
static inline void *lines(size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, bytes + 64) != 0) abort();
  memset(memory, 0, bytes + 64);
  return memory;
}
#endif
