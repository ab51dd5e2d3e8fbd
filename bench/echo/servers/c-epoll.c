/*
 * The ceiling: an echo server that looks at no byte. One thread, epoll, one recv and
 * one send for each readiness. Prints `listening PORT`. Not a peer: it parses nothing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

/* A full socket blocks this one thread; the generator always reads, so it cannot last. */
static int send_all(int fd, ssize_t length) {
  ssize_t at = 0;
  while (at < length) {
    ssize_t sent = send(fd, buffer + at, (size_t)(length - at), MSG_NOSIGNAL);
    if (sent > 0) at += sent;
    else if (errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, 1000);
    } else return -1;
  }
  return 0;
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 511) < 0) {
    perror("c-epoll");
    return 1;
  }
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  int poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int connection;
        while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          event = (struct epoll_event){.events = EPOLLIN, .data.fd = connection};
          epoll_ctl(poller, EPOLL_CTL_ADD, connection, &event);
        }
        continue;
      }
      ssize_t received = recv(fd, buffer, sizeof buffer, 0);
      if (received < 0 && errno == EAGAIN) continue;
      if (received <= 0 || send_all(fd, received) < 0) close(fd);
    }
  }
}
