/*
 * The ceiling with io_uring: an echo server that looks at no byte. One thread, liburing;
 * multishot accept and receive, buffers that the kernel selects, one enter a turn. One send is
 * in flight on a connection, so that a short one cannot put bytes out of order.
 * Prints `listening PORT`. Not a peer: it parses nothing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENTRIES = 4096, COMPLETIONS = 32768, BUFFERS = 1024, BUFFER_BYTES = 1 << 16, GROUP = 0 };
enum { NONE = -1, MOST_DESCRIPTORS = 1 << 17 };
enum { ACCEPT, RECEIVE, SEND };

/* What was received and is not sent yet: a list of buffers, by their numbers. */
typedef struct {
  int first, last;
  uint32_t sent; /* bytes of the first */
  int is_receiving, is_sending, is_ended;
} Connection;

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static uint8_t *buffers;
static uint32_t lengths[BUFFERS];
static int next_buffer[BUFFERS], free_buffers = BUFFERS;
static Connection connections[MOST_DESCRIPTORS];
/* Those whose receive ran out of buffers. */
static int starved[MOST_DESCRIPTORS], starved_count;

static struct io_uring_sqe *submission(void) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
  if (!sqe) io_uring_submit(&ring), sqe = io_uring_get_sqe(&ring);
  if (!sqe) fprintf(stderr, "c-uring: no room to submit\n"), exit(1);
  return sqe;
}

/* Behind the preparation, which may set it. */
static void name(struct io_uring_sqe *sqe, int fd, int kind) {
  io_uring_sqe_set_data64(sqe, (uint64_t)fd << 2 | (uint64_t)kind);
}

static void accept_many(int listener) {
  struct io_uring_sqe *sqe = submission();
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0);
  name(sqe, listener, ACCEPT);
}

static void give_back(int buffer) {
  io_uring_buf_ring_add(provided, buffers + (size_t)buffer * BUFFER_BYTES, BUFFER_BYTES, (unsigned short)buffer,
                        io_uring_buf_ring_mask(BUFFERS), 0);
  io_uring_buf_ring_advance(provided, 1);
  free_buffers++;
}

static void receive(int fd) {
  struct io_uring_sqe *sqe = submission();
  io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
  name(sqe, fd, RECEIVE);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = GROUP;
  connections[fd].is_receiving = 1;
}

static void send_first(int fd) {
  Connection *c = &connections[fd];
  struct io_uring_sqe *sqe = submission();
  io_uring_prep_send(sqe, fd, buffers + (size_t)c->first * BUFFER_BYTES + c->sent, lengths[c->first] - c->sent,
                     MSG_NOSIGNAL);
  name(sqe, fd, SEND);
  c->is_sending = 1;
}

static void drop_first(Connection *c) {
  int buffer = c->first;
  c->first = next_buffer[buffer];
  c->sent = 0;
  give_back(buffer);
}

/* What was received before the end is sent first. */
static void close_if_done(int fd) {
  Connection *c = &connections[fd];
  if (c->is_ended && !c->is_receiving && !c->is_sending) {
    while (c->first != NONE) drop_first(c);
    close(fd);
  }
}

static void accepted(int fd) {
  int on = 1;
  if (fd >= MOST_DESCRIPTORS) { close(fd); return; }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connections[fd] = (Connection){.first = NONE, .last = NONE};
  receive(fd);
}

static void received(int fd, int result, unsigned flags) {
  Connection *c = &connections[fd];
  if (!(flags & IORING_CQE_F_MORE)) c->is_receiving = 0;
  if (result > 0) {
    int buffer = (int)(flags >> IORING_CQE_BUFFER_SHIFT);
    free_buffers--;
    lengths[buffer] = (uint32_t)result;
    next_buffer[buffer] = NONE;
    if (c->first == NONE) c->first = buffer;
    else next_buffer[c->last] = buffer;
    c->last = buffer;
    if (!c->is_sending) send_first(fd);
    if (!c->is_receiving) receive(fd);
  } else if (result == -ENOBUFS) {
    c->is_receiving = 1; /* again, once there are buffers */
    starved[starved_count++] = fd;
  } else c->is_ended = 1;
}

static void sent(int fd, int result) {
  Connection *c = &connections[fd];
  c->is_sending = 0;
  if (result < 0) {
    c->is_ended = 1;
    if (c->is_receiving) shutdown(fd, SHUT_RDWR);
    return;
  }
  c->sent += (uint32_t)result;
  if (c->sent == lengths[c->first]) drop_first(c);
  if (c->first != NONE) send_first(fd);
}

static int open_listener(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 511) < 0) {
    perror("c-uring: listen");
    exit(1);
  }
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void open_ring(void) {
  struct io_uring_params parameters = {
      .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
      .cq_entries = COMPLETIONS,
  };
  int result = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
  struct io_uring_buf_reg registration = {.ring_entries = BUFFERS, .bgid = GROUP};
  if (result == 0 && (posix_memalign((void **)&provided, 4096, BUFFERS * sizeof(struct io_uring_buf)) ||
                      posix_memalign((void **)&buffers, 4096, (size_t)BUFFERS * BUFFER_BYTES)))
    result = -ENOMEM;
  if (result == 0) {
    registration.ring_addr = (uint64_t)(uintptr_t)provided;
    result = io_uring_register_buf_ring(&ring, &registration, 0);
  }
  if (result < 0) {
    fprintf(stderr, "c-uring: io_uring: %s\n", strerror(-result));
    exit(1);
  }
  io_uring_buf_ring_init(provided);
  free_buffers = 0;
  for (int i = 0; i < BUFFERS; i++) give_back(i);
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  open_ring();
  int listener = open_listener();
  accept_many(listener);
  for (;;) {
    int result = io_uring_submit_and_wait(&ring, 1);
    if (result < 0 && result != -EINTR && result != -EBUSY) {
      fprintf(stderr, "c-uring: enter: %s\n", strerror(-result));
      return 1;
    }
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      uint64_t data = io_uring_cqe_get_data64(cqe);
      int fd = (int)(data >> 2), kind = (int)(data & 3);
      count++;
      if (kind == ACCEPT) {
        if (cqe->res >= 0) accepted(cqe->res);
        if (!(cqe->flags & IORING_CQE_F_MORE)) accept_many(listener);
        continue;
      }
      if (kind == RECEIVE) received(fd, cqe->res, cqe->flags);
      else sent(fd, cqe->res);
      close_if_done(fd);
    }
    io_uring_cq_advance(&ring, count);
    while (starved_count > 0 && free_buffers > starved_count) receive(starved[--starved_count]);
  }
}
