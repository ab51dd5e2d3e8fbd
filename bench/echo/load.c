/*
 * Echo load generator: one thread, epoll, no dependency.
 *
 *   load HOST PORT CONNECTIONS IN_FLIGHT SIZE SECONDS [--warmup S] [--framing F]
 *        [--timeout S] [--pid PID] [--spin MICROSECONDS] [--warmup-cpu S] [--active N]
 *
 * Keeps IN_FLIGHT frames of SIZE bytes (header included) outstanding on every
 * connection and compares every byte of every reply. A frame carries its
 * connection's number, its sequence number and pattern bytes that depend on both,
 * so a changed, lost, repeated, swapped or misrouted byte is seen.
 *
 * Prints one JSON object on one line. Exit 0: all held; 1: a wrong byte, a
 * connection that ended, or no reply within the time limit; 2: usage.
 *
 * --framing   u8 u16le u16be u24be u32le u32be raw, with "-inclusive" where the length
 *             counts its own header (default u16le-inclusive); raw has no header. ws and
 *             zmtp are what WebSocket and ZeroMQ servers speak, with their handshakes; SIZE
 *             is 2 bytes more than the payload then, so that the payload is the default's.
 * --timeout   longest silence of the whole server before it is an error (default 5 s).
 * --spin      how long to poll before sleeping: a sleeping core can take longer to wake
 *             than a whole batch of messages takes to echo (default 0).
 * --warmup-cpu  warm up also until that process has used so many seconds of CPU time (at most
 *             for 5 s more): on a busy machine time alone does not warm a compiler up.
 * --pid       process whose CPU time is taken over the measured period, and whose memory at
 *             its end; given several times, their sum is. Warming up looks at the first.
 * --active    only so many of the connections, evenly spread, send anything (default all).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum { RECEIVE_BYTES = 1 << 18, EVENTS = 512, MOST_PIDS = 8 };
/* So many are opened before the server must have served the last: fewer than listeners queue. */
enum { OPEN_AT_ONCE = 128, CONNECT_LIMIT_S = 5 };
static const uint64_t MOST_EXTRA_WARMUP_NS = 5000000000u;

typedef struct {
  int fd;
  uint32_t number;
  uint64_t next_send, next_reply; /* sequence numbers */
  size_t reply_offset;            /* bytes of the reply `next_reply` already compared */
  uint8_t *queue;                 /* frames made and not yet taken by the kernel */
  size_t queue_start, queue_end;
  uint64_t *sent_at; /* by sequence % in_flight */
  int watches_output;
} Connection;

static int connection_count, active_count, in_flight;
static uint8_t receive_buffer[RECEIVE_BYTES];
static int poller;
static uint64_t total_messages, total_outstanding;

/* Latency histogram: 64 steps a power of two, so an error below 1.6 %. */
enum { STEPS = 64, POWERS = 40 };
static uint64_t histogram[POWERS * STEPS];
static uint64_t histogram_count, latency_max;
static int measuring;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  printf("{\"error\":\"%s\",\"messages\":%llu}\n", text, (unsigned long long)total_messages);
  fflush(stdout);
  exit(1);
}

static void usage(const char *what) {
  fprintf(stderr,
          "load: %s\nusage: load HOST PORT CONNECTIONS IN_FLIGHT SIZE SECONDS [--warmup S] "
          "[--framing u8|u16le|u16be|u24be|u32le|u32be|raw[-inclusive]|ws|zmtp] [--timeout S] [--pid PID] "
          "[--spin MICROSECONDS] [--warmup-cpu S] [--active N]\n",
          what);
  exit(2);
}

static unsigned bucket_of(uint64_t ns) {
  if (ns < STEPS) return (unsigned)ns;
  unsigned power = 63u - (unsigned)__builtin_clzll(ns); /* >= 6 */
  unsigned step = (unsigned)(ns >> (power - 6)) & (STEPS - 1);
  unsigned bucket = (power - 5) * STEPS + step;
  return bucket < POWERS * STEPS ? bucket : POWERS * STEPS - 1;
}

static double bucket_middle_us(unsigned bucket) {
  if (bucket < STEPS) return bucket / 1e3;
  unsigned power = bucket / STEPS + 5, step = bucket % STEPS;
  double low = (double)((uint64_t)(STEPS + step) << (power - 6));
  return (low + (double)(1ull << (power - 6)) / 2) / 1e3;
}

static double percentile_us(double fraction) {
  uint64_t wanted = (uint64_t)(fraction * (double)histogram_count), seen = 0;
  for (unsigned i = 0; i < POWERS * STEPS; i++) {
    seen += histogram[i];
    if (seen > wanted) return bucket_middle_us(i);
  }
  return (double)latency_max / 1e3;
}

static void watch(Connection *c, int output) {
  if (c->watches_output == output) return;
  struct epoll_event e = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e) < 0) fail("epoll_ctl: %s", strerror(errno));
  c->watches_output = output;
}

static void send_queued(Connection *c) {
  while (c->queue_start < c->queue_end) {
    ssize_t sent = send(c->fd, c->queue + c->queue_start, c->queue_end - c->queue_start, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      fail("connection %u: send: %s", c->number, strerror(errno));
    }
    c->queue_start += (size_t)sent;
  }
  if (c->queue_start == c->queue_end) c->queue_start = c->queue_end = 0;
  watch(c, c->queue_start < c->queue_end);
}

/* Makes messages until `most` are outstanding. */
static void fill(Connection *c, int most, uint64_t now) {
  size_t space = wire.request_bytes * (size_t)in_flight;
  while (c->next_send - c->next_reply < (uint64_t)most) {
    if (c->queue_end + wire.request_bytes > space) {
      memmove(c->queue, c->queue + c->queue_start, c->queue_end - c->queue_start);
      c->queue_end -= c->queue_start;
      c->queue_start = 0;
      if (c->queue_end + wire.request_bytes > space) break; /* the server has answered what it has not read */
    }
    make_request(c->queue + c->queue_end, c->number, c->next_send);
    c->queue_end += wire.request_bytes;
    c->sent_at[c->next_send % (uint64_t)in_flight] = now;
    c->next_send++;
    total_outstanding++;
  }
}

static void fail_at(const Connection *c, const uint8_t *bytes) {
  size_t i = c->reply_offset;
  while (reply_byte(c->number, c->next_reply, i) == *bytes) i++, bytes++;
  fail("connection %u: message %llu: byte %zu is %u instead of %u", c->number,
       (unsigned long long)c->next_reply, i, *bytes, reply_byte(c->number, c->next_reply, i));
}

static void compare(Connection *c, const uint8_t *bytes, size_t length, uint64_t now) {
  size_t at = 0;
  while (at < length) {
    if (c->next_reply == c->next_send)
      fail("connection %u: %zu bytes that nobody asked for", c->number, length - at);
    size_t part = wire.reply_bytes - c->reply_offset;
    if (part > length - at) part = length - at;
    if (!is_reply(c->number, c->next_reply, c->reply_offset, bytes + at, part)) fail_at(c, bytes + at);
    at += part;
    c->reply_offset += part;
    if (c->reply_offset < wire.reply_bytes) break;
    if (measuring) {
      uint64_t latency = now - c->sent_at[c->next_reply % (uint64_t)in_flight];
      if (latency > latency_max) latency_max = latency;
      histogram[bucket_of(latency)]++;
      histogram_count++;
    }
    c->reply_offset = 0;
    c->next_reply++;
    total_outstanding--;
    total_messages++;
  }
}

/* Takes what has come; returns when that was, 0 if there was nothing. */
static uint64_t receive(Connection *c) {
  ssize_t length = recv(c->fd, receive_buffer, RECEIVE_BYTES, 0);
  if (length == 0) fail("connection %u: the server closed it", c->number);
  if (length < 0) {
    if (errno != EAGAIN && errno != EINTR) fail("connection %u: recv: %s", c->number, strerror(errno));
    return 0;
  }
  uint64_t now = now_ns();
  compare(c, receive_buffer, (size_t)length, now);
  return now;
}

/* One message there and back, so that the server has accepted all that came before it. */
static void await_service(Connection *c) {
  uint64_t give_up = now_ns() + CONNECT_LIMIT_S * 1000000000ull;
  fill(c, 1, now_ns());
  while (total_outstanding > 0) {
    send_queued(c);
    struct pollfd ready = {.fd = c->fd, .events = POLLIN | (c->queue_start < c->queue_end ? POLLOUT : 0)};
    if (poll(&ready, 1, 100) > 0) receive(c);
    if (now_ns() > give_up) fail("connection %u: no reply to its first message", c->number);
  }
}

static void open_connection(Connection *c, uint32_t number, const struct sockaddr_in *to) {
  c->number = number;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0) fail("socket: %s", strerror(errno));
  struct timeval limit = {.tv_sec = CONNECT_LIMIT_S};
  setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* bounds connect */
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(c->fd, (const struct sockaddr *)to, sizeof *to) < 0)
    fail("connect: %s", strerror(errno));
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const char *wrong = handshake(c->fd);
  if (wrong) fail("connection %u: %s", number, wrong);
  fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
  c->queue = malloc(wire.request_bytes * (size_t)in_flight);
  c->sent_at = calloc((size_t)in_flight, sizeof *c->sent_at);
  if (!c->queue || !c->sent_at) fail("out of memory");
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) < 0) fail("epoll_ctl: %s", strerror(errno));
}

static pid_t pids[MOST_PIDS];
static int pid_count;

/* CPU time of another process, all its threads, in nanoseconds; 0 if unknown. */
static uint64_t cpu_of(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t server_cpu(void) {
  uint64_t sum = 0;
  for (int i = 0; i < pid_count; i++) sum += cpu_of(pids[i]);
  return sum;
}

static uint64_t own_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Resident memory of the processes in bytes, 0 if unknown. */
static uint64_t server_resident(void) {
  uint64_t sum = 0;
  for (int i = 0; i < pid_count; i++) {
    char path[64];
    unsigned long long pages, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pids[i]);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    if (fscanf(file, "%llu %llu", &pages, &resident) == 2) sum += resident * (uint64_t)sysconf(_SC_PAGESIZE);
    fclose(file);
  }
  return sum;
}

/* Whether connection `number` is one of those that send. */
static int is_active(int number) {
  return (int64_t)(number + 1) * active_count / connection_count > (int64_t)number * active_count / connection_count;
}

static double number_argument(const char *text, const char *name, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  if (*text == 0 || *end != 0 || !(value >= least && value <= most)) usage(name);
  return value;
}

int main(int count, char **arguments) {
  if (count < 7) usage("too few arguments");
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1) usage("HOST is an IPv4 address");
  to.sin_port = htons((uint16_t)number_argument(arguments[2], "PORT", 1, 65535));
  connection_count = (int)number_argument(arguments[3], "CONNECTIONS", 1, 100000);
  in_flight = (int)number_argument(arguments[4], "IN_FLIGHT", 1, 1 << 20);
  size_t frame_bytes = (size_t)number_argument(arguments[5], "SIZE", 1, 1 << 26);
  double seconds = number_argument(arguments[6], "SECONDS", 0.001, 3600), warmup = 0.5, timeout = 5, spin = 0, warmup_cpu = 0;
  const char *framing = "u16le-inclusive";
  for (int i = 7; i < count; i += 2) {
    if (i + 1 >= count) usage("an option without its value");
    const char *name = arguments[i], *value = arguments[i + 1];
    if (!strcmp(name, "--warmup")) warmup = number_argument(value, "--warmup", 0, 3600);
    else if (!strcmp(name, "--framing")) framing = value;
    else if (!strcmp(name, "--timeout")) timeout = number_argument(value, "--timeout", 0.01, 3600);
    else if (!strcmp(name, "--warmup-cpu")) warmup_cpu = number_argument(value, "--warmup-cpu", 0, 3600);
    else if (!strcmp(name, "--active")) active_count = (int)number_argument(value, "--active", 1, connection_count);
    else if (!strcmp(name, "--spin")) spin = number_argument(value, "--spin", 0, 1e6);
    else if (!strcmp(name, "--pid")) {
      if (pid_count == MOST_PIDS) usage("too many times --pid");
      pids[pid_count++] = (pid_t)number_argument(value, "--pid", 1, 1 << 30);
    }
    else usage("unknown option");
  }
  const char *wrong = choose_wire(framing, frame_bytes);
  if (wrong) usage(wrong);
  if (active_count == 0) active_count = connection_count;

  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  make_pattern();
  poller = epoll_create1(0);
  Connection *connections = calloc((size_t)connection_count, sizeof *connections);
  if (!connections || poller < 0) fail("out of memory");
  for (int i = 0; i < connection_count; i++) {
    open_connection(&connections[i], (uint32_t)i, &to);
    if ((i + 1) % OPEN_AT_ONCE == 0) await_service(&connections[i]);
  }

  uint64_t start = now_ns(), now = start, last_reply = start;
  uint64_t measure_at = start + (uint64_t)(warmup * 1e9), stop_at = 0;
  uint64_t first_messages = 0, first_ns = 0, first_server = 0, first_own = 0;
  uint64_t messages = 0, measured_ns = 1, server_ns = 0, own_ns = 0, idle_ns = 0, resident = 0;
  enum { WARMING, MEASURING, DRAINING } phase = WARMING;
  for (int i = 0; i < connection_count; i++) {
    if (!is_active(i)) continue;
    fill(&connections[i], in_flight, now);
    send_queued(&connections[i]);
  }
  while (phase != DRAINING || total_outstanding > 0) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, 0);
    if (ready == 0) {
      uint64_t idle_from = now_ns(), spin_until = idle_from + (uint64_t)(spin * 1e3);
      while (ready == 0 && now_ns() < spin_until) ready = epoll_wait(poller, events, EVENTS, 0);
      if (ready == 0) ready = epoll_wait(poller, events, EVENTS, 10);
      if (phase == MEASURING) idle_ns += now_ns() - idle_from;
    }
    if (ready < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    now = now_ns();
    if (phase == WARMING && now >= measure_at &&
        ((double)cpu_of(pids[0]) >= warmup_cpu * 1e9 || now >= measure_at + MOST_EXTRA_WARMUP_NS)) {
      phase = MEASURING;
      measuring = 1;
      first_messages = total_messages;
      first_server = server_cpu();
      first_own = own_cpu();
      first_ns = now;
      stop_at = now + (uint64_t)(seconds * 1e9);
    } else if (phase == MEASURING && now >= stop_at && total_messages > first_messages) {
      phase = DRAINING;
      measuring = 0;
      messages = total_messages - first_messages;
      measured_ns = now - first_ns;
      server_ns = server_cpu() - first_server;
      resident = server_resident();
      own_ns = own_cpu() - first_own;
    }
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        uint64_t received_at = receive(c);
        if (received_at) now = last_reply = received_at;
      }
      if (phase != DRAINING && is_active((int)c->number)) fill(c, in_flight, now);
      send_queued(c);
    }
    if (now - last_reply > (uint64_t)(timeout * 1e9))
      fail("no reply for %.3g s, %llu messages outstanding", timeout, (unsigned long long)total_outstanding);
  }
  /* All is answered. Bytes that come now belong to no message; the server's end is awaited a moment. */
  int ended = 0;
  for (int i = 0; i < connection_count; i++) shutdown(connections[i].fd, SHUT_WR);
  uint64_t give_up = now_ns() + 2000000000u;
  while (ended < connection_count && now_ns() < give_up) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, 10);
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      ssize_t length = recv(c->fd, receive_buffer, RECEIVE_BYTES, 0);
      if (length > 0) fail("connection %u: %zd bytes that nobody asked for", c->number, length);
      if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (length < 0) fail("connection %u: reset instead of an end: %s", c->number, strerror(errno));
      epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
      ended++;
    }
  }
  printf("{\"connections\":%d,\"inFlight\":%d,\"sizeBytes\":%zu,\"framing\":\"%s\",\"seconds\":%.4f,"
         "\"messages\":%llu,\"messagesPerSecond\":%.0f,\"p50Us\":%.1f,\"p99Us\":%.1f,\"p999Us\":%.1f,"
         "\"maxUs\":%.1f,\"serverCpuNsPerMessage\":%.1f,\"serverCpuShare\":%.3f,"
         "\"loadCpuNsPerMessage\":%.1f,\"loadCpuShare\":%.3f,"
         "\"loadIdleShare\":%.3f,\"serverResidentBytes\":%llu,\"activeConnections\":%d,\"endedByServer\":%d,\"allMessages\":%llu}\n",
         connection_count, in_flight, frame_bytes, framing, (double)measured_ns / 1e9,
         (unsigned long long)messages, (double)messages * 1e9 / (double)measured_ns, percentile_us(0.5),
         percentile_us(0.99), percentile_us(0.999), (double)latency_max / 1e3,
         (double)server_ns / (double)messages, (double)server_ns / (double)measured_ns,
         (double)own_ns / (double)messages, (double)own_ns / (double)measured_ns,
         (double)idle_ns / (double)measured_ns, (unsigned long long)resident, active_count, ended,
         (unsigned long long)total_messages);
  return 0;
}
