/* Bytes to messages, as the core does it: offset and length of each, frames that span chunks put together. */
#include "kernels.h"

enum { LENGTH_FIELD, VARINT, DELIMITER, LINE, FIXED, RAW };

struct event {
  uint32_t kind;
  int32_t connection;
  uint32_t offset; /* from the front of `base` */
  uint32_t length;
};

struct decode {
  int kind, size, big;
  size_t frame_bytes, chunk, room;
  uint32_t most, offset, strip;
  int64_t adjustment;
  struct event *events;
  size_t capacity, count;
  uint8_t *base; /* the input, and behind it two areas in which frames are put together */
  uint8_t *area[2];
  int current;
  size_t held;
};

static inline __attribute__((always_inline)) uint64_t field(const uint8_t *at, int size, int big) {
  uint64_t value = 0;
  switch (size) {
    case 1: return at[0];
    case 2: { uint16_t v; memcpy(&v, at, 2); return big ? __builtin_bswap16(v) : v; }
    case 3: {
      uint16_t v; memcpy(&v, at, 2);
      return big ? ((uint64_t)__builtin_bswap16(v) << 8) | at[2] : v | ((uint64_t)at[2] << 16);
    }
    case 4: { uint32_t v; memcpy(&v, at, 4); return big ? __builtin_bswap32(v) : v; }
    default: memcpy(&value, at, 8); return big ? __builtin_bswap64(value) : value;
  }
}

static inline __attribute__((always_inline)) void put(
    struct event *event, const uint8_t *base, const uint8_t *at, uint32_t length) {
  event->kind = 1;
  event->connection = 0;
  event->offset = (uint32_t)(at - base);
  event->length = length;
}

/*
 * The core's loop, number for number: where the field stands, what it leaves out
 * and what is stripped are settings there, so they are here.
 */
static inline __attribute__((always_inline)) const uint8_t *scan_field(
    struct decode *d, const uint8_t *at, const uint8_t *end, int size, int big) {
  const uint8_t *base = d->base;
  struct event *event = d->events + d->count, *stop = d->events + d->capacity;
  const size_t header = d->offset + (size_t)size, offset = d->offset;
  const int64_t extra = d->adjustment + (int64_t)header;
  const uint64_t most = d->most, least = header > d->strip ? header : d->strip;
  const uint32_t strip = d->strip;
  while (event < stop && (size_t)(end - at) >= header) {
    const uint64_t value = field(at + offset, size, big);
    if (size == 8 && value > 0x1fffffffffffffull) break;
    const uint64_t frame = (uint64_t)(extra + (int64_t)value);
    if (frame > (uint64_t)(end - at) || frame > most || frame < least) break;
    put(event++, base, at + strip, (uint32_t)frame - strip);
    at += frame;
  }
  d->count = (size_t)(event - d->events);
  return at;
}

/* Bytes of the frame, 0 while its header is not whole; `header` is what stands before the message. */
static uint64_t measure(const struct decode *d, const uint8_t *at, size_t available, size_t *header) {
  if (d->kind == FIXED) { *header = 0; return d->frame_bytes; }
  if (d->kind == LENGTH_FIELD) {
    if (available < (size_t)d->size) return 0;
    *header = (size_t)d->size;
    return field(at, d->size, d->big) + (uint64_t)d->size;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < available && i < 5; i++) {
    value |= (uint64_t)(at[i] & 127) << (7 * i);
    if (at[i] < 128) { *header = i + 1; return value + i + 1; }
  }
  return 0;
}

static const uint8_t *scan_varint(struct decode *d, const uint8_t *at, const uint8_t *end) {
  struct event *event = d->events + d->count, *stop = d->events + d->capacity;
  while (event < stop && at < end) {
    uint64_t value = at[0];
    size_t header = 1;
    if (value >= 128) {
      const uint64_t frame = measure(d, at, (size_t)(end - at), &header);
      if (frame == 0) break;
      value = frame - header;
    }
    if (header + value > (uint64_t)(end - at) || header + value > d->most) break;
    put(event++, d->base, at + header, (uint32_t)value);
    at += header + value;
  }
  d->count = (size_t)(event - d->events);
  return at;
}

static const uint8_t *scan_fixed(struct decode *d, const uint8_t *at, const uint8_t *end) {
  struct event *event = d->events + d->count, *stop = d->events + d->capacity;
  const size_t size = d->frame_bytes;
  while (event < stop && (size_t)(end - at) >= size) {
    put(event++, d->base, at, (uint32_t)size);
    at += size;
  }
  d->count = (size_t)(event - d->events);
  return at;
}

static const uint8_t *scan_line(struct decode *d, const uint8_t *at, const uint8_t *end) {
  struct event *event = d->events + d->count, *stop = d->events + d->capacity;
  while (event < stop) {
    const uint8_t *found = memchr(at, 10, (size_t)(end - at));
    if (found == NULL) break;
    put(event++, d->base, at, (uint32_t)(found - at) - (found > at && found[-1] == 13));
    at = found + 1;
  }
  d->count = (size_t)(event - d->events);
  return at;
}

static const uint8_t *scan_delimiter(struct decode *d, const uint8_t *at, const uint8_t *end) {
  struct event *event = d->events + d->count, *stop = d->events + d->capacity;
  const uint8_t *from = at;
  while (event < stop) {
    const uint8_t *found = memchr(from, 10, (size_t)(end - from));
    if (found == NULL) break;
    from = found + 1;
    if (found == at || found[-1] != 13) continue;
    put(event++, d->base, at, (uint32_t)(found - 1 - at));
    at = from;
  }
  d->count = (size_t)(event - d->events);
  return at;
}

static const uint8_t *scan(struct decode *d, const uint8_t *at, const uint8_t *end) {
  switch (d->kind) {
    case LENGTH_FIELD:
      if (d->size == 1) return scan_field(d, at, end, 1, 0);
      if (d->size == 2) return d->big ? scan_field(d, at, end, 2, 1) : scan_field(d, at, end, 2, 0);
      if (d->size == 3) return d->big ? scan_field(d, at, end, 3, 1) : scan_field(d, at, end, 3, 0);
      if (d->size == 4) return d->big ? scan_field(d, at, end, 4, 1) : scan_field(d, at, end, 4, 0);
      return d->big ? scan_field(d, at, end, 8, 1) : scan_field(d, at, end, 8, 0);
    case VARINT: return scan_varint(d, at, end);
    case DELIMITER: return scan_delimiter(d, at, end);
    case LINE: return scan_line(d, at, end);
    case FIXED: return scan_fixed(d, at, end);
    default:
      put(d->events + d->count++, d->base, at, (uint32_t)(end - at));
      return end;
  }
}

/* Bytes from `at` that belong to the frame begun in the area, as far as known. */
static size_t missing(const struct decode *d, const uint8_t *area, const uint8_t *at, const uint8_t *end) {
  const size_t available = (size_t)(end - at);
  if (d->kind == LINE || d->kind == DELIMITER) {
    uint8_t before = area[d->held - 1];
    for (const uint8_t *byte = at; byte < end; before = *byte++) {
      if (*byte == 10 && (d->kind == LINE || before == 13)) return (size_t)(byte + 1 - at);
    }
    return available;
  }
  size_t header;
  const uint64_t frame = measure(d, area, d->held, &header);
  if (frame == 0) return 1;
  return frame - d->held < available ? (size_t)(frame - d->held) : available;
}

static int deliver(struct decode *d, const uint8_t *area) {
  const size_t held = d->held;
  size_t header = 0, trailer = 0;
  if (d->kind == LINE || d->kind == DELIMITER) {
    const int two = held > 1 && area[held - 2] == 13;
    if (area[held - 1] != 10 || (d->kind == DELIMITER && !two)) return 0;
    trailer = two ? 2 : 1;
  } else if (measure(d, area, held, &header) != held) return 0;
  put(d->events + d->count++, d->base, area + header, (uint32_t)(held - header - trailer));
  return 1;
}

static int64_t step(struct kernel *k, int64_t index) {
  struct decode *d = k->state;
  const size_t from = (size_t)index * d->chunk;
  const size_t bytes = k->input_bytes - from < d->chunk ? k->input_bytes - from : d->chunk;
  const uint8_t *at = d->base + from, *end = at + bytes;
  d->count = 0;
  while (d->held > 0 && at < end) {
    uint8_t *area = d->area[d->current];
    const size_t take = missing(d, area, at, end);
    memcpy(area + d->held, at, take);
    d->held += take;
    at += take;
    if (deliver(d, area)) {
      d->held = 0;
      d->current ^= 1;
    }
  }
  if (d->held == 0 && at < end) {
    at = scan(d, at, end);
    d->held = (size_t)(end - at);
    if (d->held > 0) memcpy(d->area[d->current], at, d->held);
  }
  return (int64_t)d->count;
}

static uint32_t digest(struct kernel *k) {
  const struct decode *d = k->state;
  uint32_t value = DIGEST_SEED;
  for (size_t i = 0; i < d->count; i++) {
    value = mix_bytes(value, d->base + d->events[i].offset, d->events[i].length);
  }
  return value;
}

static void close_decode(struct kernel *k) {
  struct decode *d = k->state;
  free(d->events);
  free(d->base);
  free(d);
}

int open_decode(struct kernel *k) {
  const int64_t *n = k->number;
  if (n[0] < 0 || n[0] > RAW || n[4] < 1 || n[5] < 1 || n[6] < 1) return -1;
  struct decode *d = lines(sizeof *d);
  d->kind = (int)n[0];
  d->size = (int)n[1];
  d->big = (int)n[2];
  d->frame_bytes = (size_t)n[3];
  d->chunk = (size_t)n[4];
  d->room = (size_t)n[5];
  d->capacity = (size_t)n[6];
  d->most = 1 << 20;
  d->strip = (uint32_t)n[1];
  d->events = lines(d->capacity * sizeof(struct event));
  d->base = lines(k->input_bytes + 2 * d->room);
  memcpy(d->base, k->input, k->input_bytes);
  d->area[0] = d->base + k->input_bytes;
  d->area[1] = d->area[0] + d->room;
  k->state = d;
  k->steps = (int64_t)((k->input_bytes + d->chunk - 1) / d->chunk);
  k->step = step;
  k->digest = digest;
  k->close = close_decode;
  return 0;
}
