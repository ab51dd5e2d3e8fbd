/*
 * What the load generator writes and expects: frames of the length-field framings, WebSocket
 * frames (RFC 6455) and ZMTP 3 messages of a DEALER (rfc.zeromq.org/spec/23), with the
 * handshakes of the last two. The payload is the same in all of them: the connection's number,
 * the message's sequence number, and pattern bytes that depend on both.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATTERN_BYTES = 1 << 16, IDENTITY_BYTES = 8, MOST_HEADER_BYTES = 16, MASK_BYTES = 4 };
/* With ws and zmtp SIZE means a payload as large as that of a frame with this header. */
enum { USUAL_HEADER_BYTES = 2 };

static struct {
  enum { WIRE_LENGTH_FIELD, WIRE_WEBSOCKET, WIRE_ZMTP } kind;
  size_t payload_bytes;
  size_t request_bytes, request_header_bytes; /* the header without the mask */
  size_t reply_bytes, reply_header_bytes;
  uint8_t request_header[MOST_HEADER_BYTES], reply_header[MOST_HEADER_BYTES];
} wire;

static uint8_t pattern[PATTERN_BYTES * 2];

static void make_pattern(void) {
  uint32_t random = 0x9e3779b9u;
  for (size_t i = 0; i < PATTERN_BYTES; i++) {
    random = random * 1664525u + 1013904223u;
    pattern[i] = pattern[i + PATTERN_BYTES] = (uint8_t)(random >> 24);
  }
}

static void put_big_endian(uint8_t *to, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

/* Header of a final binary frame, without a mask; returns its length. */
static size_t websocket_header(uint8_t *to, uint64_t payload, uint8_t masked) {
  to[0] = 0x82;
  if (payload < 126) return to[1] = (uint8_t)(masked | payload), 2;
  if (payload < 65536) return to[1] = masked | 126, put_big_endian(to + 2, payload, 2), 4;
  return to[1] = masked | 127, put_big_endian(to + 2, payload, 8), 10;
}

/* Header of a message's last frame; returns its length. */
static size_t zmtp_header(uint8_t *to, uint64_t payload) {
  to[0] = payload < 256 ? 0 : 2;
  put_big_endian(to + 1, payload, payload < 256 ? 1 : 8);
  return payload < 256 ? 2 : 9;
}

/* Returns what is wrong, or NULL. */
static const char *choose_length_field(const char *text, size_t size) {
  static const struct {
    const char *name;
    size_t bytes;
    int little;
  } kinds[] = {{"u8", 1, 0},    {"u16le", 2, 1}, {"u16be", 2, 0}, {"u24be", 3, 0},
               {"u32le", 4, 1}, {"u32be", 4, 0}, {"raw", 0, 0}};
  size_t length = strcspn(text, "-,"), kind = 0, kind_count = sizeof kinds / sizeof *kinds;
  int inclusive = text[length] != 0;
  if (inclusive && strcmp(text + length + 1, "inclusive") != 0) return "unknown framing";
  while (kind < kind_count && (strlen(kinds[kind].name) != length || strncmp(kinds[kind].name, text, length))) kind++;
  if (kind == kind_count) return "unknown framing";
  size_t header = kinds[kind].bytes;
  if (size < header + IDENTITY_BYTES) return "SIZE: at least the header and 8 bytes";
  uint64_t announced = inclusive ? size : size - header;
  if (header && header < 4 && announced >> (8 * header)) return "SIZE exceeds the framing";
  put_big_endian(wire.request_header, announced, header);
  if (kinds[kind].little)
    for (size_t i = 0; i < header; i++) wire.request_header[i] = (uint8_t)(announced >> (8 * i));
  memcpy(wire.reply_header, wire.request_header, header);
  wire.request_header_bytes = wire.reply_header_bytes = header;
  wire.payload_bytes = size - header;
  wire.request_bytes = wire.reply_bytes = size;
  return NULL;
}

/* Returns what is wrong with the two, or NULL. */
static const char *choose_wire(const char *framing, size_t size) {
  int is_websocket = !strcmp(framing, "ws");
  if (!is_websocket && strcmp(framing, "zmtp")) return choose_length_field(framing, size);
  if (size < USUAL_HEADER_BYTES + IDENTITY_BYTES) return "SIZE: at least 10 bytes";
  wire.kind = is_websocket ? WIRE_WEBSOCKET : WIRE_ZMTP;
  uint64_t payload = wire.payload_bytes = size - USUAL_HEADER_BYTES;
  wire.request_header_bytes = is_websocket ? websocket_header(wire.request_header, payload, 0x80)
                                           : zmtp_header(wire.request_header, payload);
  wire.reply_header_bytes = is_websocket ? websocket_header(wire.reply_header, payload, 0)
                                         : zmtp_header(wire.reply_header, payload);
  wire.request_bytes = wire.request_header_bytes + (is_websocket ? MASK_BYTES : 0) + payload;
  wire.reply_bytes = wire.reply_header_bytes + payload;
  return NULL;
}

static size_t pattern_start(uint32_t connection, uint64_t sequence) {
  return (size_t)((uint32_t)(sequence * 2654435761u + connection * 40503u) >> 7) % PATTERN_BYTES;
}

/* Longest run of the pattern from offset `at` of the payload's pattern part, at most `limit`. */
static size_t pattern_run(size_t at, size_t limit) {
  size_t run = PATTERN_BYTES - at % PATTERN_BYTES;
  return run < limit ? run : limit;
}

static void mask_bytes(uint8_t *bytes, size_t length, uint32_t mask) {
  uint64_t twice = (uint64_t)mask << 32 | mask, word;
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    memcpy(&word, bytes + at, 8);
    word ^= twice;
    memcpy(bytes + at, &word, 8);
  }
  for (; at < length; at++) bytes[at] ^= ((uint8_t *)&mask)[at % MASK_BYTES];
}

static void make_request(uint8_t *to, uint32_t connection, uint64_t sequence) {
  memcpy(to, wire.request_header, wire.request_header_bytes);
  to += wire.request_header_bytes;
  /* Never 0: servers skip unmasking then. */
  uint32_t mask = (uint32_t)(sequence * 2246822519u + connection) | 0x01010101u;
  if (wire.kind == WIRE_WEBSOCKET) memcpy(to, &mask, MASK_BYTES), to += MASK_BYTES;
  uint32_t identity[2] = {connection, (uint32_t)sequence};
  memcpy(to, identity, IDENTITY_BYTES);
  size_t start = pattern_start(connection, sequence), length = wire.payload_bytes - IDENTITY_BYTES;
  for (size_t at = 0, run; at < length; at += run)
    memcpy(to + IDENTITY_BYTES + at, pattern + start, run = pattern_run(at, length - at));
  if (wire.kind == WIRE_WEBSOCKET) mask_bytes(to, wire.payload_bytes, mask);
}

/* Byte `offset` of the reply to a message. */
static uint8_t reply_byte(uint32_t connection, uint64_t sequence, size_t offset) {
  if (offset < wire.reply_header_bytes) return wire.reply_header[offset];
  offset -= wire.reply_header_bytes;
  uint32_t identity[2] = {connection, (uint32_t)sequence};
  if (offset < IDENTITY_BYTES) return ((uint8_t *)identity)[offset];
  return pattern[pattern_start(connection, sequence) + (offset - IDENTITY_BYTES) % PATTERN_BYTES];
}

/* Whether `bytes` are the reply's from `offset` on, every one of them. */
static int is_reply(uint32_t connection, uint64_t sequence, size_t offset, const uint8_t *bytes, size_t length) {
  size_t prefix = wire.reply_header_bytes + IDENTITY_BYTES;
  for (; offset < prefix && length > 0; offset++, bytes++, length--)
    if (*bytes != reply_byte(connection, sequence, offset)) return 0;
  size_t start = pattern_start(connection, sequence);
  for (size_t run; length > 0; offset += run, bytes += run, length -= run) {
    size_t at = offset - prefix;
    run = pattern_run(at, length);
    if (memcmp(bytes, pattern + start + at % PATTERN_BYTES, run)) return 0;
  }
  return 1;
}

/* Reads exactly so many bytes from a blocking socket with a time limit; returns whether it could. */
static int read_exactly(int fd, uint8_t *to, size_t length) {
  for (ssize_t part; length > 0; to += part, length -= (size_t)part)
    if ((part = recv(fd, to, length, 0)) <= 0) return 0;
  return 1;
}

static int write_exactly(int fd, const void *from, size_t length) {
  return send(fd, from, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static const char *websocket_handshake(int fd) {
  /* The key and its answer are those of RFC 6455, section 1.3. */
  static const char request[] =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  char answer[2048];
  size_t length = 0;
  if (!write_exactly(fd, request, sizeof request - 1)) return "the upgrade could not be sent";
  do {
    if (length + 1 == sizeof answer || !read_exactly(fd, (uint8_t *)answer + length, 1)) return "no answer to the upgrade";
    answer[++length] = 0;
  } while (length < 4 || strcmp(answer + length - 4, "\r\n\r\n"));
  if (strncmp(answer, "HTTP/1.1 101 ", 13)) return "the upgrade was refused";
  if (!strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) return "a wrong answer to the upgrade's key";
  return NULL;
}

static const char *zmtp_handshake(int fd) {
  uint8_t greeting[64] = {0xff, [8] = 1, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
  /* A command of 28 bytes: READY with the property Socket-Type = DEALER. */
  static const uint8_t ready[] = "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06" "DEALER";
  uint8_t answer[64], command[512];
  if (!write_exactly(fd, greeting, sizeof greeting) || !read_exactly(fd, answer, sizeof answer)) return "no greeting";
  if (answer[0] != 0xff || answer[9] != 0x7f || answer[10] < 3 || memcmp(answer + 12, "NULL", 5))
    return "not a greeting of ZMTP 3 without security";
  if (!write_exactly(fd, ready, sizeof ready - 1) || !read_exactly(fd, command, 2)) return "no READY";
  if (command[0] != 4 || !read_exactly(fd, command + 2, command[1]) || memcmp(command + 2, "\x05READY", 6))
    return "not a READY";
  return NULL;
}

/* On a blocking socket with time limits. Returns what went wrong, or NULL. */
static const char *handshake(int fd) {
  if (wire.kind == WIRE_WEBSOCKET) return websocket_handshake(fd);
  return wire.kind == WIRE_ZMTP ? zmtp_handshake(fd) : NULL;
}
