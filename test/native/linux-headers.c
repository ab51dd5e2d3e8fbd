/*
 * What Linux's headers say, as data: see headers.c, whose macros these are.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct sockaddr_in sockaddr_in;
typedef struct sockaddr_in6 sockaddr_in6;
typedef struct sockaddr_storage sockaddr_storage;
typedef struct sockaddr_un sockaddr_un;
typedef struct linger linger;
typedef struct timeval timeval;
typedef struct iovec iovec;
typedef struct msghdr msghdr;
typedef struct __kernel_timespec __kernel_timespec;
typedef struct io_uring_params io_uring_params;
typedef struct io_sqring_offsets io_sqring_offsets;
typedef struct io_cqring_offsets io_cqring_offsets;
typedef struct io_uring_buf_reg io_uring_buf_reg;
typedef struct io_uring_getevents_arg io_uring_getevents_arg;
typedef struct io_uring_probe io_uring_probe;
typedef struct io_uring_probe_op io_uring_probe_op;
typedef struct io_uring_sqe io_uring_sqe;
typedef struct io_uring_buf io_uring_buf;
typedef struct io_uring_buf_ring io_uring_buf_ring;

/* io_uring_cqe ends in an array without a size. */
typedef struct {
  __u64 user_data;
  __s32 res;
  __u32 flags;
} io_uring_cqe;
_Static_assert(sizeof(struct io_uring_cqe) == sizeof(io_uring_cqe), "io_uring_cqe");
_Static_assert(offsetof(struct io_uring_cqe, res) == offsetof(io_uring_cqe, res), "res");
_Static_assert(offsetof(struct io_uring_cqe, flags) == offsetof(io_uring_cqe, flags), "flags");

/* Younger than these headers: linux/io_uring.h of Linux 6.5. */
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP (1U << 14)
#endif

#define NUMBER(name) const long long number_##name = (long long)(name);
#define RECORD_SIZE(record) const long long size_##record = sizeof(record);
#define FIELD(record, field) const long long offset_##record##__##field = offsetof(record, field);

/* Of a type: bytes, GCC's class (0 void, 1 integer, 5 pointer) and whether it is signed. */
#define TYPE(label, ...)                                                                           \
  const long long type_##label[3] = {                                                              \
      sizeof(__VA_ARGS__), __builtin_classify_type(*(__VA_ARGS__ *)0),                             \
      _Generic(*(__VA_ARGS__ *)0, char : 1, signed char : 1, short : 1, int : 1, long : 1,         \
               long long : 1, default : 0)};

#include DECLARATIONS
