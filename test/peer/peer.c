/*
 * A foreign peer for tests: a client and an echo server that share no line with the package,
 * on BSD sockets or Winsock, from one source. One thread, select, no dependency.
 *
 *   peer client HOST PORT [options]
 *   peer server HOST PORT [options]        port 0: the system chooses; says `listening on HOST:PORT`
 *
 * Both speak frames of a two-byte little-endian length that counts itself. The sizes and bytes
 * of a frame follow from the seed and the frame's number, so every byte has one right value and
 * one right place. A client checks all that comes back, a server all that comes in (with
 * --messages).
 *
 *   --behaviour NAME    what it does, below (default echo)
 *   --messages N        frames (client: default 100; server: 0, which checks nothing)
 *   --size MIN-MAX      bytes of a frame, its length included (default 2-1000)
 *   --seed S            (default 1)
 *   --in-flight K       client: frames sent and not yet come back (default 16)
 *   --after N           bytes after which a behaviour begins (default 0)
 *   --chunk N           most bytes of one send and one receive (default 65536)
 *   --pause-every N     sleep one millisecond after so many sends (default 0: never)
 *   --buffer-bytes N    the socket's own buffers (default 0: the system's)
 *   --quiet-ms N        not writable for so long counts as held back (default 250)
 *   --gate FILE         what waits goes on once this file exists
 *   --garbage KIND      short | huge | noise | truncated
 *   --end KIND          how the connection must end: clean | reset | any (default: what the
 *                       behaviour calls for)
 *   --connections N     server: ends after so many connections (default 1)
 *   --backlog N         server: (default 64)
 *   --limit-ms N        it never lives longer than this (default 20000)
 *   --out FILE          lines go to the end of this file instead of standard output
 *
 * Client: echo          sends, receives, checks, ends its side, wants the end
 *         half-close    ends its side behind its last byte, and still wants every echo, then the end
 *         reset         closes with a reset behind byte --after
 *         early-close   closes behind byte --after, whatever has come
 *         stop-reading  reads nothing until its own sends are held back; says `blocked`, waits for
 *                       the gate, then is an echo client that wants all of what it had begun
 *         garbage       sends what no frame begins with, behind its messages; wants their echoes,
 *                       then the end
 *         listen        says nothing; wants --messages frames, then the end
 * Server: echo          echoes to the end of each connection, then ends its side
 *         reset-after   closes with a reset once it has echoed --after bytes
 *         close-after   closes once it has echoed --after bytes
 *         half-close-first  ends its side once it has echoed --after bytes and reads on to the end
 *         never-read    reads nothing until the gate opens, then is an echo server
 *         never-accept  accepts nothing until the gate opens, then is done
 *
 * The last line is one JSON object. Exit 0: every byte was right and the end was the one wanted;
 * 1: not so, or out of time; 2: usage.
 */
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0600
#define FD_SETSIZE 256
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
typedef SOCKET Socket;
#define NO_SOCKET INVALID_SOCKET
#define SEND_ONLY SD_SEND
#define WOULD_BLOCK WSAEWOULDBLOCK
#define NO_SIGNAL 0
#else
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef int Socket;
#define NO_SOCKET (-1)
#define SEND_ONLY SHUT_WR
#define WOULD_BLOCK EAGAIN
#define NO_SIGNAL MSG_NOSIGNAL
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 2, QUEUE_BYTES = 1 << 16, MOST_CONNECTIONS = 200, SLICE_MS = 20 };

typedef enum { END_NONE, END_CLEAN, END_RESET, END_ERROR, END_LIMIT, END_OWN, END_ANY } End;
static const char *const END_NAMES[] = {"none", "clean", "reset", "error", "limit", "own", "any"};

static const char *behaviour = "echo", *gate, *garbage = "short";
static uint32_t message_count, seed = 1, in_flight = 16;
static uint32_t least_size = 2, most_size = 1000;
static uint64_t after_bytes;
static uint32_t chunk_bytes = QUEUE_BYTES, pause_every, buffer_bytes, quiet_ms = 250;
static uint32_t connection_count = 1, backlog = 64, limit_ms = 20000;
static End wanted_end = END_NONE;
static FILE *out;
static uint64_t began_ms, send_count;
static int last_error;

static int is_behaviour(const char *name) { return strcmp(behaviour, name) == 0; }

/* ------------------------------------------------------------ the system */

static uint64_t now_ms(void) {
#ifdef _WIN32
  return GetTickCount64();
#else
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
#endif
}

static void sleep_ms(unsigned ms) {
#ifdef _WIN32
  Sleep(ms);
#else
  struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&t, NULL);
#endif
}

static int socket_error(void) {
#ifdef _WIN32
  return WSAGetLastError();
#else
  return errno;
#endif
}

static void close_socket(Socket socket) {
#ifdef _WIN32
  closesocket(socket);
#else
  close(socket);
#endif
}

static void set_nonblocking(Socket socket) {
#ifdef _WIN32
  u_long on = 1;
  ioctlsocket(socket, FIONBIO, &on);
#else
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
#endif
}

static void set_option(Socket socket, int level, int name, int value) {
  setsockopt(socket, level, name, (const char *)&value, sizeof value);
}

static void close_with_reset(Socket socket) {
  struct linger linger = {1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger);
  close_socket(socket);
}

static int is_reset(int error) {
#ifdef _WIN32
  return error == WSAECONNRESET || error == WSAECONNABORTED;
#else
  return error == ECONNRESET || error == EPIPE;
#endif
}

static int out_of_time(void) { return now_ms() - began_ms > limit_ms; }

/* ------------------------------------------------------------ words */

static void say(const char *line) {
  fprintf(out, "%s\n", line);
  fflush(out);
}

static int usage(const char *what) {
  fprintf(out == stdout ? stderr : out, "peer: %s\n", what);
  return 2;
}

/* ------------------------------------------------------------ frames */

/* A place in the endless stream of frames. */
typedef struct {
  uint32_t frame, offset, size, state;
} Cursor;

static uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

static void cursor_begin(Cursor *cursor, uint32_t frame) {
  cursor->frame = frame;
  cursor->offset = 0;
  cursor->state = mix(seed * 0x9e3779b1u + frame + 1);
  cursor->size = least_size + cursor->state % (most_size - least_size + 1);
}

static uint8_t cursor_next(Cursor *cursor) {
  uint8_t byte;
  if (cursor->offset < HEADER_BYTES) {
    byte = (uint8_t)(cursor->size >> (8 * cursor->offset));
  } else {
    cursor->state = cursor->state * 1664525u + 1013904223u;
    byte = (uint8_t)(cursor->state >> 24);
  }
  if (++cursor->offset == cursor->size) cursor_begin(cursor, cursor->frame + 1);
  return byte;
}

/* ------------------------------------------------------------ one connection */

typedef struct {
  Socket socket;
  uint8_t queue[QUEUE_BYTES]; /* to be sent */
  uint32_t queue_start, queue_end;
  Cursor produced, expected;
  uint64_t sent, received;
  int mismatch;
  uint64_t mismatch_at;
  int is_shut;
  End end;
} Stream;

static void stream_begin(Stream *stream, Socket socket) {
  memset(stream, 0, sizeof *stream);
  stream->socket = socket;
  cursor_begin(&stream->produced, 0);
  cursor_begin(&stream->expected, 0);
  set_nonblocking(socket);
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void fail(Stream *stream, int error) {
  last_error = error;
  stream->end = is_reset(error) ? END_RESET : END_ERROR;
}

static uint32_t queued(const Stream *stream) { return stream->queue_end - stream->queue_start; }

static void compact(Stream *stream) {
  if (stream->queue_start == 0) return;
  memmove(stream->queue, stream->queue + stream->queue_start, queued(stream));
  stream->queue_end -= stream->queue_start;
  stream->queue_start = 0;
}

/* Sends of what is queued at most `most` bytes, once. */
static void send_some(Stream *stream, uint64_t most) {
  uint64_t length = queued(stream);
  if (length > chunk_bytes) length = chunk_bytes;
  if (length > most) length = most;
  if (length == 0) return;
  const char *from = (const char *)stream->queue + stream->queue_start;
  int taken = (int)send(stream->socket, from, (int)length, NO_SIGNAL);
  if (taken < 0) {
    if (socket_error() != WOULD_BLOCK) fail(stream, socket_error());
    return;
  }
  stream->sent += (uint64_t)taken;
  stream->queue_start += (uint32_t)taken;
  if (pause_every > 0 && ++send_count % pause_every == 0) sleep_ms(1);
}

/*
 * Wine may take a reset for an end: nobody tells it of the error twice. Whoever wants a reset can
 * ask with a byte, which only a connection that was reset refuses.
 */
static int is_masked_reset(const Stream *stream) {
#ifdef _WIN32
  if (wanted_end == END_RESET) return send(stream->socket, "?", 1, 0) < 0;
#endif
  (void)stream;
  return 0;
}

/* Receives once into `bytes`; returns how many came. */
static uint32_t receive_some(Stream *stream, uint8_t *bytes, uint32_t room) {
  if (room > chunk_bytes) room = chunk_bytes;
  int count = (int)recv(stream->socket, (char *)bytes, (int)room, 0);
  if (count > 0) {
    stream->received += (uint64_t)count;
    return (uint32_t)count;
  }
  if (count == 0) stream->end = is_masked_reset(stream) ? END_RESET : END_CLEAN;
  else if (socket_error() != WOULD_BLOCK) fail(stream, socket_error());
  return 0;
}

/* Compares with the frames from 0 up to `message_count`. */
static void check(Stream *stream, const uint8_t *bytes, uint32_t length) {
  for (uint32_t index = 0; index < length && !stream->mismatch; index++) {
    int is_more = stream->expected.frame >= message_count;
    if (is_more || cursor_next(&stream->expected) != bytes[index]) {
      stream->mismatch = 1;
      stream->mismatch_at = stream->received - length + index;
    }
  }
}

static void shut(Stream *stream) {
  if (stream->is_shut) return;
  stream->is_shut = 1;
  if (shutdown(stream->socket, SEND_ONLY) != 0) fail(stream, socket_error());
}

static int is_gate_open(void) {
  FILE *file = gate == NULL ? NULL : fopen(gate, "rb");
  if (file == NULL) return gate == NULL;
  fclose(file);
  return 1;
}

/* Whether `got` is the end that was asked for; `fallback` where none was. */
static int is_wanted(End got, End fallback) {
  End want = wanted_end == END_NONE ? fallback : wanted_end;
  if (want == END_ANY) return got == END_CLEAN || got == END_RESET || got == END_OWN;
  return got == want;
}

/* Waits at most `ms` until one of both is possible; both flags say what is. */
static void wait_for(Socket socket, int *readable, int *writable, int ms) {
  fd_set reads, writes;
  struct timeval time = {ms / 1000, (ms % 1000) * 1000};
  FD_ZERO(&reads);
  FD_ZERO(&writes);
  if (!*readable && !*writable) {
    sleep_ms((unsigned)ms);
    return;
  }
  if (*readable) FD_SET(socket, &reads);
  if (*writable) FD_SET(socket, &writes);
  int count = select((int)socket + 1, &reads, &writes, NULL, &time);
  *readable = count > 0 && FD_ISSET(socket, &reads);
  *writable = count > 0 && FD_ISSET(socket, &writes);
}

/* ------------------------------------------------------------ the client */

static struct addrinfo *resolve(const char *host, const char *port) {
  struct addrinfo hints, *found = NULL;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  return getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

static Socket open_socket(const struct addrinfo *address) {
  Socket made = socket(address->ai_family, SOCK_STREAM, IPPROTO_TCP);
  if (made == NO_SOCKET || buffer_bytes == 0) return made;
  /* Before the connection: later they do not bound the window any more. */
  set_option(made, SOL_SOCKET, SO_RCVBUF, (int)buffer_bytes);
  set_option(made, SOL_SOCKET, SO_SNDBUF, (int)buffer_bytes);
  return made;
}

/* Connects within the limit; 0, or the system's error. */
static int connect_within(Socket socket, const struct addrinfo *address) {
  set_nonblocking(socket);
  if (connect(socket, address->ai_addr, (int)address->ai_addrlen) == 0) return 0;
#ifdef _WIN32
  if (socket_error() != WSAEWOULDBLOCK) return socket_error();
#else
  if (socket_error() != EINPROGRESS) return socket_error();
#endif
  while (!out_of_time()) {
    fd_set writes, excepts;
    struct timeval time = {0, SLICE_MS * 1000};
    FD_ZERO(&writes);
    FD_ZERO(&excepts);
    FD_SET(socket, &writes);
    FD_SET(socket, &excepts);
    if (select((int)socket + 1, NULL, &writes, &excepts, &time) <= 0) continue;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&error, &length);
    return error;
  }
  return -1;
}

static Stream client;
static int was_blocked;

static void report_client(int ok) {
  fprintf(out,
          "{\"ok\":%s,\"mode\":\"client\",\"messages\":%u,\"bytesSent\":%llu,"
          "\"bytesReceived\":%llu,\"end\":\"%s\",\"error\":%d,\"mismatch\":%s,"
          "\"mismatchAt\":%llu,\"blocked\":%s}\n",
          ok ? "true" : "false", client.expected.frame, (unsigned long long)client.sent,
          (unsigned long long)client.received, END_NAMES[client.end], last_error,
          client.mismatch ? "true" : "false", (unsigned long long)client.mismatch_at,
          was_blocked ? "true" : "false");
  fflush(out);
}

/* Queues frames as far as the window and the room go. */
static void produce(Stream *stream, int is_windowed) {
  uint32_t most = message_count;
  if (is_windowed && stream->expected.frame + in_flight < most) {
    most = stream->expected.frame + in_flight;
  }
  compact(stream);
  while (stream->produced.frame < most && stream->queue_end < QUEUE_BYTES) {
    stream->queue[stream->queue_end++] = cursor_next(&stream->produced);
  }
}

/* Behind the last message: bytes that are no frame. Returns whether more is to be sent. */
static void produce_garbage(Stream *stream) {
  static const uint8_t TOO_SHORT[] = {1, 0, 7, 7}, HUGE_LENGTH[] = {0xff, 0xff, 1, 2, 3};
  static const uint8_t CUT[] = {100, 0, 1, 2, 3, 4, 5, 6, 7, 8};
  compact(stream);
  uint8_t *to = stream->queue + stream->queue_end;
  if (strcmp(garbage, "huge") == 0) {
    memcpy(to, HUGE_LENGTH, sizeof HUGE_LENGTH);
    stream->queue_end += sizeof HUGE_LENGTH;
  } else if (strcmp(garbage, "truncated") == 0) {
    memcpy(to, CUT, sizeof CUT);
    stream->queue_end += sizeof CUT;
  } else if (strcmp(garbage, "noise") == 0) {
    uint32_t state = seed;
    /* The first length is below its own header's size: no reading makes frames of it. */
    to[0] = to[1] = 0;
    for (uint32_t index = 2; index < 5000; index++) {
      state = state * 1664525u + 1013904223u;
      to[index] = (uint8_t)(state >> 24);
    }
    stream->queue_end += 5000;
  } else {
    memcpy(to, TOO_SHORT, sizeof TOO_SHORT);
    stream->queue_end += sizeof TOO_SHORT;
  }
}

/* Sends without reading until nothing is taken any more, then waits for the gate. */
static void stop_reading(Stream *stream) {
  uint64_t since = now_ms();
  while (stream->end == END_NONE && !out_of_time() && now_ms() - since < quiet_ms) {
    produce(stream, 0);
    if (queued(stream) == 0) break;
    int readable = 0, writable = 1;
    wait_for(stream->socket, &readable, &writable, SLICE_MS);
    uint64_t before = stream->sent;
    if (writable) send_some(stream, UINT64_MAX);
    if (stream->sent > before) since = now_ms();
  }
  was_blocked = stream->end == END_NONE && !out_of_time() && queued(stream) > 0;
  /* Enough: how much fits in between is the system's affair. */
  if (stream->produced.frame + 1 < message_count) message_count = stream->produced.frame + 1;
  say(was_blocked ? "blocked" : "not blocked");
  while (!is_gate_open() && !out_of_time()) sleep_ms(SLICE_MS);
}

static int judge_client(const Stream *stream) {
  int is_whole = stream->expected.frame == message_count && stream->expected.offset == 0;
  if (stream->mismatch || stream->end == END_LIMIT) return 0;
  if (is_behaviour("reset") || is_behaviour("early-close")) return stream->end == END_OWN;
  if (is_behaviour("stop-reading") && !was_blocked) return 0;
  if (!is_wanted(stream->end, END_CLEAN)) return 0;
  /* Who wants a reset takes any beginning, who wants an end takes nothing less than all. */
  return stream->end == END_RESET || is_whole || wanted_end == END_ANY;
}

static void run_client(Stream *stream) {
  static uint8_t bytes[QUEUE_BYTES];
  int is_listening = is_behaviour("listen"), is_garbage = is_behaviour("garbage");
  int ends_early = is_behaviour("reset") || is_behaviour("early-close"), garbage_sent = 0;
  uint64_t most = ends_early ? after_bytes : UINT64_MAX;
  if (is_behaviour("stop-reading")) stop_reading(stream);
  while (stream->end == END_NONE) {
    if (out_of_time()) {
      stream->end = END_LIMIT;
      break;
    }
    if (!is_listening) produce(stream, 1);
    int all_made = stream->produced.frame >= message_count;
    if (is_garbage && all_made && !garbage_sent) {
      if (queued(stream) == 0) {
        produce_garbage(stream);
        garbage_sent = 1;
      }
    }
    if (ends_early && stream->sent >= most) {
      stream->end = END_OWN;
      if (is_behaviour("reset")) close_with_reset(stream->socket);
      else close_socket(stream->socket);
      stream->socket = NO_SOCKET;
      break;
    }
    int all_sent = all_made && queued(stream) == 0;
    int all_back = stream->expected.frame >= message_count;
    if (all_sent && is_behaviour("half-close")) shut(stream);
    if (all_sent && all_back && !is_listening && wanted_end != END_RESET) {
      if (!is_garbage || (garbage_sent && strcmp(garbage, "truncated") == 0)) shut(stream);
    }
    int readable = 1, writable = queued(stream) > 0;
    wait_for(stream->socket, &readable, &writable, SLICE_MS);
    if (readable) check(stream, bytes, receive_some(stream, bytes, sizeof bytes));
    if (stream->mismatch) stream->end = END_OWN;
    if (writable && stream->end == END_NONE) send_some(stream, most - stream->sent);
  }
  if (stream->socket != NO_SOCKET) close_socket(stream->socket);
}

static int client_main(const char *host, const char *port) {
  struct addrinfo *address = resolve(host, port);
  if (address == NULL) return usage("HOST is a number, such as 127.0.0.1");
  Socket socket = open_socket(address);
  if (socket == NO_SOCKET) return usage("no socket");
  int error = connect_within(socket, address);
  freeaddrinfo(address);
  stream_begin(&client, socket);
  if (error != 0) {
    last_error = error;
    client.end = END_ERROR;
    report_client(0);
    return 1;
  }
  if (is_behaviour("listen")) say("connected");
  run_client(&client);
  int ok = judge_client(&client);
  report_client(ok);
  return ok ? 0 : 1;
}

/* ------------------------------------------------------------ the server */

static Stream *streams[MOST_CONNECTIONS];
static uint32_t accepted, over, ended_clean, ended_by_reset, ended_own, mismatches, frames;
static uint64_t total_sent, total_received;

static uint64_t budget(const Stream *stream) {
  int is_limited = is_behaviour("reset-after") || is_behaviour("close-after") ||
                   is_behaviour("half-close-first");
  return is_limited ? after_bytes - stream->sent : UINT64_MAX;
}

static void finish(uint32_t index) {
  Stream *stream = streams[index];
  if (stream->end == END_CLEAN) ended_clean++;
  if (stream->end == END_RESET) ended_by_reset++;
  if (stream->end == END_OWN) ended_own++;
  mismatches += (uint32_t)stream->mismatch;
  frames += stream->expected.frame;
  total_sent += stream->sent;
  total_received += stream->received;
  if (stream->end == END_OWN && is_behaviour("reset-after")) close_with_reset(stream->socket);
  else close_socket(stream->socket);
  free(stream);
  streams[index] = NULL;
  over++;
}

static void read_stream(Stream *stream) {
  static uint8_t bytes[QUEUE_BYTES];
  compact(stream);
  /* What comes in once its own side has ended is read, checked and dropped. */
  uint32_t room = stream->is_shut ? QUEUE_BYTES : QUEUE_BYTES - stream->queue_end;
  uint32_t length = receive_some(stream, bytes, room);
  if (length == 0) return;
  if (message_count > 0) check(stream, bytes, length);
  if (stream->is_shut) return;
  memcpy(stream->queue + stream->queue_end, bytes, length);
  stream->queue_end += length;
}

/* The peer's end is kept until all has been echoed. */
static void serve(uint32_t index, int readable, int writable) {
  Stream *stream = streams[index];
  if (readable && stream->end == END_NONE) read_stream(stream);
  if (stream->mismatch) stream->end = END_OWN;
  int has_failed = stream->end != END_NONE && stream->end != END_CLEAN;
  if (!has_failed && writable && !stream->is_shut) send_some(stream, budget(stream));
  if (stream->end != END_NONE && stream->end != END_CLEAN) {
    finish(index);
    return;
  }
  int is_due = budget(stream) == 0;
  if (is_due && is_behaviour("half-close-first")) {
    stream->queue_start = stream->queue_end = 0;
    shut(stream);
  } else if (is_due) {
    stream->end = END_OWN;
    finish(index);
    return;
  }
  if (stream->end == END_CLEAN && queued(stream) == 0) {
    shut(stream);
    finish(index);
  }
}

static void accept_all(Socket listener) {
  while (accepted < connection_count) {
    Socket socket = accept(listener, NULL, NULL);
    if (socket == NO_SOCKET) return;
    Stream *stream = malloc(sizeof *stream);
    if (stream == NULL) exit(2);
    stream_begin(stream, socket);
    streams[accepted++] = stream;
  }
}

static int run_server(Socket listener) {
  int is_reading = !is_behaviour("never-read");
  while (over < connection_count && !out_of_time()) {
    fd_set reads, writes;
    struct timeval time = {0, SLICE_MS * 1000};
    Socket most = listener;
    if (!is_reading) is_reading = is_gate_open();
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    if (accepted < connection_count) FD_SET(listener, &reads);
    int is_waiting = accepted < connection_count;
    for (uint32_t index = 0; index < accepted; index++) {
      Stream *stream = streams[index];
      if (stream == NULL) continue;
      int has_room = queued(stream) < QUEUE_BYTES;
      if (is_reading && stream->end == END_NONE && has_room) FD_SET(stream->socket, &reads);
      if (queued(stream) > 0) FD_SET(stream->socket, &writes);
      is_waiting |= (is_reading && has_room) || queued(stream) > 0;
      if (stream->socket > most) most = stream->socket;
    }
    int count = 0;
    /* Winsock refuses to select on nothing. */
    if (!is_waiting) sleep_ms(SLICE_MS);
    else count = select((int)most + 1, &reads, &writes, NULL, &time);
    if (count > 0 && FD_ISSET(listener, &reads)) accept_all(listener);
    for (uint32_t index = 0; index < accepted; index++) {
      if (streams[index] == NULL) continue;
      Socket socket = streams[index]->socket;
      int can_read = count > 0 && FD_ISSET(socket, &reads);
      int can_write = count > 0 && FD_ISSET(socket, &writes);
      serve(index, can_read, can_write);
    }
  }
  return over == connection_count;
}

static int judge_server(void) {
  if (mismatches > 0) return 0;
  if (message_count > 0 && wanted_end != END_RESET && wanted_end != END_ANY) {
    if (frames != message_count * connection_count) return 0;
  }
  if (wanted_end == END_ANY) return 1;
  if (wanted_end == END_RESET) return ended_by_reset == connection_count;
  if (is_behaviour("reset-after") || is_behaviour("close-after")) {
    return ended_own == connection_count;
  }
  return ended_clean == connection_count;
}

static int server_main(const char *host, const char *port) {
  struct addrinfo *address = resolve(host, port);
  if (address == NULL) return usage("HOST is a number, such as 127.0.0.1");
  Socket listener = open_socket(address);
  if (listener == NO_SOCKET) return usage("no socket");
  if (bind(listener, address->ai_addr, (int)address->ai_addrlen) != 0 ||
      listen(listener, (int)backlog) != 0) {
    return usage("cannot listen there");
  }
  freeaddrinfo(address);
  struct sockaddr_storage bound;
  socklen_t length = sizeof bound;
  char numeric_host[64], numeric_port[16];
  getsockname(listener, (struct sockaddr *)&bound, &length);
  getnameinfo((struct sockaddr *)&bound, length, numeric_host, sizeof numeric_host, numeric_port,
              sizeof numeric_port, NI_NUMERICHOST | NI_NUMERICSERV);
  set_nonblocking(listener);
  fprintf(out, "listening on %s:%s\n", numeric_host, numeric_port);
  fflush(out);
  int ok;
  if (is_behaviour("never-accept")) {
    while (!is_gate_open() && !out_of_time()) sleep_ms(SLICE_MS);
    ok = !out_of_time();
  } else {
    int is_done = run_server(listener);
    ok = is_done && judge_server();
  }
  fprintf(out,
          "{\"ok\":%s,\"mode\":\"server\",\"messages\":%u,\"accepted\":%u,\"bytesSent\":%llu,"
          "\"bytesReceived\":%llu,\"clean\":%u,\"resets\":%u,\"own\":%u,\"mismatches\":%u,"
          "\"error\":%d,\"end\":\"%s\"}\n",
          ok ? "true" : "false", frames, accepted, (unsigned long long)total_sent,
          (unsigned long long)total_received, ended_clean, ended_by_reset, ended_own, mismatches,
          last_error, out_of_time() ? "limit" : "done");
  fflush(out);
  close_socket(listener);
  return ok ? 0 : 1;
}

/* ------------------------------------------------------------ the command line */

static int read_number(const char *text, uint64_t most, uint64_t *value) {
  char *end;
  *value = strtoull(text, &end, 10);
  return *text != '\0' && *text != '-' && *end == '\0' && *value <= most;
}

static int read_size(const char *text) {
  unsigned least, most;
  char rest;
  if (sscanf(text, "%u-%u%c", &least, &most, &rest) != 2) return 0;
  if (least < HEADER_BYTES || most < least || most > 65535) return 0;
  least_size = least;
  most_size = most;
  return 1;
}

static int read_end(const char *text) {
  if (strcmp(text, "clean") == 0) wanted_end = END_CLEAN;
  else if (strcmp(text, "reset") == 0) wanted_end = END_RESET;
  else if (strcmp(text, "any") == 0) wanted_end = END_ANY;
  else return 0;
  return 1;
}

static int is_one_of(const char *text, const char *const *names) {
  for (; *names != NULL; names++)
    if (strcmp(text, *names) == 0) return 1;
  return 0;
}

static int read_option(const char *name, const char *value) {
  static const struct {
    const char *name;
    uint32_t *value;
    uint32_t most;
  } NUMBERS[] = {
      {"--messages", &message_count, 100000000}, {"--seed", &seed, UINT32_MAX},
      {"--in-flight", &in_flight, 1000000},      {"--chunk", &chunk_bytes, QUEUE_BYTES},
      {"--pause-every", &pause_every, 1000000},  {"--buffer-bytes", &buffer_bytes, 1 << 26},
      {"--quiet-ms", &quiet_ms, 60000},          {"--connections", &connection_count, MOST_CONNECTIONS},
      {"--backlog", &backlog, 65535},            {"--limit-ms", &limit_ms, 600000},
  };
  static const char *const GARBAGE[] = {"short", "huge", "noise", "truncated", NULL};
  uint64_t number;
  for (size_t index = 0; index < sizeof NUMBERS / sizeof *NUMBERS; index++) {
    if (strcmp(name, NUMBERS[index].name) != 0) continue;
    if (!read_number(value, NUMBERS[index].most, &number)) return 0;
    *NUMBERS[index].value = (uint32_t)number;
    return 1;
  }
  if (strcmp(name, "--after") == 0) return read_number(value, UINT64_MAX - 1, &after_bytes);
  if (strcmp(name, "--size") == 0) return read_size(value);
  if (strcmp(name, "--end") == 0) return read_end(value);
  if (strcmp(name, "--garbage") == 0) {
    garbage = value;
    return is_one_of(value, GARBAGE);
  }
  if (strcmp(name, "--gate") == 0) gate = value;
  else if (strcmp(name, "--behaviour") == 0) behaviour = value;
  else if (strcmp(name, "--out") == 0) {
    out = fopen(value, "ab");
    return out != NULL;
  } else return 0;
  return 1;
}

int main(int count, char **words) {
  static const char *const CLIENT[] = {"echo",         "half-close", "reset",  "early-close",
                                       "stop-reading", "garbage",    "listen", NULL};
  static const char *const SERVER[] = {"echo",       "reset-after",  "close-after", "half-close-first",
                                       "never-read", "never-accept", NULL};
  began_ms = now_ms();
  out = stdout;
  if (count < 4) return usage("peer client|server HOST PORT [options]");
  int is_client = strcmp(words[1], "client") == 0;
  if (!is_client && strcmp(words[1], "server") != 0) return usage("client or server?");
  if (is_client) message_count = 100;
  for (int index = 4; index < count; index += 2) {
    if (index + 1 == count || !read_option(words[index], words[index + 1])) {
      return usage(words[index]);
    }
  }
  if (!is_one_of(behaviour, is_client ? CLIENT : SERVER)) return usage(behaviour);
  if (chunk_bytes == 0 || in_flight == 0) return usage("--chunk and --in-flight are at least 1");
#ifdef _WIN32
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return usage("no Winsock");
#endif
  int exit_code = is_client ? client_main(words[2], words[3]) : server_main(words[2], words[3]);
#ifdef _WIN32
  WSACleanup();
#endif
  return exit_code;
}
