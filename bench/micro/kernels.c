/*
 * The loops of the core in C, for comparison. A line on the standard input asks
 * for something, a line on the standard output answers:
 *
 *   open KERNEL INPUT_BYTES NUMBER…   followed by the input   → units digest
 *   run PASSES                                                → nanoseconds units
 */
#include "kernels.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const struct {
  const char *name;
  open_kernel *open;
} KERNELS[] = {
    {"decode", open_decode}, {"encode", open_encode},   {"store", open_store},
    {"lock", open_lock},     {"operation", open_operation}, {"queue", open_queue},
    {"pool", open_pool},     {"packets", open_packets}, {"turn", open_turn},
};

static struct kernel current;

static void close_current(void) {
  if (current.close != NULL) current.close(&current);
  free(current.input);
  memset(&current, 0, sizeof current);
}

static int open_named(char *words) {
  close_current();
  char *name = strtok(words, " \n"), *word = strtok(NULL, " \n");
  if (name == NULL || word == NULL) return -1;
  current.input_bytes = (size_t)strtoull(word, NULL, 10);
  for (int i = 0; i < NUMBERS_MAX && (word = strtok(NULL, " \n")) != NULL; i++) {
    current.number[i] = strtoll(word, NULL, 10);
  }
  if (current.input_bytes > ((size_t)1 << 30)) return -1;
  current.input = lines(current.input_bytes);
  if (fread(current.input, 1, current.input_bytes, stdin) != current.input_bytes) return -1;
  for (size_t i = 0; i < sizeof KERNELS / sizeof *KERNELS; i++) {
    if (strcmp(KERNELS[i].name, name) == 0) return KERNELS[i].open(&current);
  }
  return -1;
}

int main(void) {
  static char line[4096];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strncmp(line, "open ", 5) == 0) {
      if (open_named(line + 5) != 0) {
        printf("error unknown kernel, or numbers that it does not take\n");
      } else {
        int64_t units = 0;
        uint32_t value = DIGEST_SEED;
        for (int64_t i = 0; i < current.steps; i++) {
          units += current.step(&current, i);
          value = mix(value, current.digest(&current));
        }
        printf("%" PRId64 " %" PRIu32 "\n", units, value);
      }
    } else if (strncmp(line, "run ", 4) == 0 && current.step != NULL) {
      const int64_t passes = strtoll(line + 4, NULL, 10);
      struct timespec began, ended;
      int64_t units = 0;
      clock_gettime(CLOCK_MONOTONIC, &began);
      for (int64_t pass = 0; pass < passes; pass++) {
        for (int64_t i = 0; i < current.steps; i++) units += current.step(&current, i);
      }
      clock_gettime(CLOCK_MONOTONIC, &ended);
      const int64_t ns =
          (ended.tv_sec - began.tv_sec) * 1000000000ll + (ended.tv_nsec - began.tv_nsec);
      printf("%" PRId64 " %" PRId64 "\n", ns, units);
    } else {
      printf("error what?\n");
    }
    fflush(stdout);
  }
  close_current();
  return 0;
}
