/* Messages to frames, native packets to completions, and a whole turn: parse and frame the answers. */
#include "kernels.h"

enum { LENGTH_FIELD, VARINT, DELIMITER, LINE, FIXED, RAW };

/* ------------------------------------------------------------------ encode */

struct encode {
  int kind, size, big;
  size_t length, count;
  uint8_t *out;
  size_t end;
};

static inline void write_field(uint8_t *at, uint64_t value, int size, int big) {
  switch (size) {
    case 1: at[0] = (uint8_t)value; break;
    case 2: { uint16_t v = (uint16_t)value; if (big) v = __builtin_bswap16(v); memcpy(at, &v, 2); break; }
    case 3:
      at[big ? 2 : 0] = (uint8_t)value;
      at[1] = (uint8_t)(value >> 8);
      at[big ? 0 : 2] = (uint8_t)(value >> 16);
      break;
    case 4: { uint32_t v = (uint32_t)value; if (big) v = __builtin_bswap32(v); memcpy(at, &v, 4); break; }
    default: { uint64_t v = big ? __builtin_bswap64(value) : value; memcpy(at, &v, 8); }
  }
}

/* Whether CR LF is in the message, or would be formed with what follows. */
static int has_delimiter(const uint8_t *message, size_t length) {
  for (const uint8_t *at = message, *end = message + length; (at = memchr(at, 10, (size_t)(end - at))) != NULL; at++) {
    if (at > message && at[-1] == 13) return 1;
  }
  return 0;
}

static int64_t step_encode(struct kernel *k, int64_t index) {
  struct encode *e = k->state;
  const size_t length = e->length;
  const uint8_t *message = k->input;
  uint8_t *at = e->out;
  (void)index;
  for (size_t i = 0; i < e->count; i++, message += length) {
    switch (e->kind) {
      case LENGTH_FIELD:
        write_field(at, length, e->size, e->big);
        at += e->size;
        break;
      case VARINT: {
        size_t rest = length;
        for (; rest >= 128; rest >>= 7) *at++ = (uint8_t)(rest | 128);
        *at++ = (uint8_t)rest;
        break;
      }
      case LINE:
        if (memchr(message, 10, length) != NULL || (length > 0 && message[length - 1] == 13)) return 0;
        break;
      case DELIMITER:
        if (has_delimiter(message, length)) return 0;
        break;
    }
    memcpy(at, message, length);
    at += length;
    if (e->kind == DELIMITER) *at++ = 13;
    if (e->kind == LINE || e->kind == DELIMITER) *at++ = 10;
  }
  e->end = (size_t)(at - e->out);
  return (int64_t)e->count;
}

static uint32_t digest_encode(struct kernel *k) {
  const struct encode *e = k->state;
  return mix_bytes(DIGEST_SEED, e->out, e->end);
}

static void close_encode(struct kernel *k) {
  struct encode *e = k->state;
  free(e->out);
  free(e);
}

int open_encode(struct kernel *k) {
  const int64_t *n = k->number;
  if (n[3] < 0 || n[4] < 1 || (size_t)(n[3] * n[4]) > k->input_bytes) return -1;
  struct encode *e = lines(sizeof *e);
  e->kind = (int)n[0];
  e->size = (int)n[1];
  e->big = (int)n[2];
  e->length = (size_t)n[3];
  e->count = (size_t)n[4];
  e->out = lines(e->count * (e->length + 16));
  k->state = e;
  k->steps = 1;
  k->step = step_encode;
  k->digest = digest_encode;
  k->close = close_encode;
  return 0;
}

/* ------------------------------------------------------------------ packets */

/* The core's records, as far as the parsers need them. */
struct operation {
  uint64_t internal, internal_high, offsets, event, buffer_length, buffer_address;
  uint32_t bytes, flags;
  double token;
  uint32_t kind, sequence;
  int32_t connection, buffer;
  uint32_t offset, length, handle;
  uint8_t rest[256 - 92 - 4];
};

struct handle {
  uint32_t pending, sends, family, watched;
};

struct overlapped_entry {
  uint64_t key, overlapped, internal;
  uint32_t bytes, reserved;
};

struct cqe {
  uint64_t user_data;
  int32_t result;
  uint32_t flags;
};

struct completion {
  uint32_t ticket, flags;
  double token;
  int32_t result, buffer, system_error, reserved;
};

enum { SEND = 5 };

struct packets {
  int uring;
  uint32_t count, operations;
  struct operation *operation;
  struct handle handle;
  struct completion *completions;
  uint32_t completed;
  uint64_t base;
};

static int64_t step_packets(struct kernel *k, int64_t index) {
  struct packets *p = k->state;
  struct completion *out = p->completions;
  (void)index;
  p->handle.pending = p->handle.sends = p->count;
  for (uint32_t i = 0; i < p->count; i++) {
    struct operation *operation;
    int32_t result;
    if (p->uring) {
      const struct cqe *cqe = (const struct cqe *)k->input + i;
      const uint32_t slot = (uint32_t)cqe->user_data & ((1u << 20) - 1);
      if (cqe->user_data >> 52 != 0 || slot >= p->operations) break;
      operation = &p->operation[slot];
      if (operation->token != (double)cqe->user_data || cqe->result < 0) break;
      result = cqe->result;
    } else {
      const struct overlapped_entry *entry = (const struct overlapped_entry *)k->input + i;
      const uint64_t distance = entry->overlapped - p->base;
      if (distance >= (uint64_t)p->operations * 256 || distance % 256 != 0) break;
      operation = &p->operation[distance / 256];
      if ((uint32_t)operation->internal != 0 || entry->key != 2) break;
      result = (int32_t)entry->bytes;
    }
    if (operation->kind != SEND || p->handle.watched) break;
    p->handle.pending--;
    p->handle.sends--;
    out->flags = 0;
    out->token = operation->token;
    out->result = result;
    out->buffer = -100;
    out->system_error = 0;
    out->reserved = 0;
    out++;
  }
  p->completed = (uint32_t)(out - p->completions);
  return p->completed;
}

static uint32_t digest_packets(struct kernel *k) {
  const struct packets *p = k->state;
  uint32_t value = DIGEST_SEED;
  for (uint32_t i = 0; i < p->completed; i++) {
    const uint64_t token = (uint64_t)p->completions[i].token;
    value = mix(mix(value, (uint32_t)token), (uint32_t)(token >> 32));
    value = mix(value, (uint32_t)p->completions[i].result);
  }
  return mix(value, p->handle.pending);
}

static void close_packets(struct kernel *k) {
  struct packets *p = k->state;
  free(p->operation);
  free(p->completions);
  free(p);
}

/* Numbers: 1 for io_uring, packets, operations. An OVERLAPPED lies at 256 × slot + the fourth number. */
int open_packets(struct kernel *k) {
  const int64_t *n = k->number;
  if (n[1] < 1 || n[2] < n[1] || sizeof(struct operation) != 256) return -1;
  if (k->input_bytes < (size_t)n[1] * (n[0] ? sizeof(struct cqe) : sizeof(struct overlapped_entry))) return -1;
  struct packets *p = lines(sizeof *p);
  p->uring = (int)n[0];
  p->count = (uint32_t)n[1];
  p->operations = (uint32_t)n[2];
  p->base = (uint64_t)n[3];
  p->operation = lines(p->operations * sizeof(struct operation));
  for (uint32_t i = 0; i < p->operations; i++) {
    p->operation[i].kind = SEND;
    p->operation[i].token = (double)((1ull << 20) + i);
    p->operation[i].length = 64;
  }
  p->completions = lines(p->count * sizeof(struct completion));
  k->state = p;
  k->steps = 1;
  k->step = step_packets;
  k->digest = digest_packets;
  k->close = close_packets;
  return 0;
}

/* ------------------------------------------------------------------ a turn */

struct turn {
  size_t connections, frames;
  uint8_t *in, *out;
  size_t *sent;
};

/* Each connection's input is cut into messages, and each message framed again behind the others. */
static int64_t step_turn(struct kernel *k, int64_t index) {
  struct turn *t = k->state;
  const size_t bytes = k->input_bytes;
  int64_t messages = 0;
  (void)index;
  for (size_t c = 0; c < t->connections; c++) {
    const uint8_t *at = t->in + c * bytes, *end = at + bytes;
    uint8_t *out = t->out + c * bytes;
    while (end - at >= 2) {
      uint16_t frame;
      memcpy(&frame, at, 2);
      if (frame < 2 || frame > end - at) break;
      memcpy(out, &frame, 2);
      memcpy(out + 2, at + 2, frame - 2u);
      at += frame;
      out += frame;
      messages++;
    }
    t->sent[c] = (size_t)(out - (t->out + c * bytes));
  }
  return messages;
}

static uint32_t digest_turn(struct kernel *k) {
  const struct turn *t = k->state;
  uint32_t value = DIGEST_SEED;
  for (size_t c = 0; c < t->connections; c++) {
    value = mix_bytes(value, t->out + c * k->input_bytes, t->sent[c]);
  }
  return value;
}

static void close_turn(struct kernel *k) {
  struct turn *t = k->state;
  free(t->in);
  free(t->out);
  free(t->sent);
  free(t);
}

int open_turn(struct kernel *k) {
  if (k->number[0] < 1 || k->input_bytes < 2) return -1;
  struct turn *t = lines(sizeof *t);
  t->connections = (size_t)k->number[0];
  t->in = lines(t->connections * k->input_bytes);
  t->out = lines(t->connections * k->input_bytes);
  t->sent = lines(t->connections * sizeof *t->sent);
  for (size_t c = 0; c < t->connections; c++) memcpy(t->in + c * k->input_bytes, k->input, k->input_bytes);
  k->state = t;
  k->steps = 1;
  k->step = step_turn;
  k->digest = digest_turn;
  k->close = close_turn;
  return 0;
}
