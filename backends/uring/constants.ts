/**
 * Linux's own numbers and records, by their C names. Nothing here is
 * remembered: `test/build/linux-headers.test.ts` compiles a C program against
 * the system's headers and compares every line of this file with what it says.
 * Records are `field: offset` and `$size`, as in the generated layout (64 bit).
 */

// ---------------------------------------------------------------- calls
export const SYS_io_uring_setup = 425;
export const SYS_io_uring_enter = 426;
export const SYS_io_uring_register = 427;
export const F_DUPFD_CLOEXEC = 1030;

// ---------------------------------------------------------------- io_uring
export const IORING_SETUP_CQSIZE = 1 << 3;
export const IORING_SETUP_CLAMP = 1 << 4;
/** An entry in error does not stop those behind it. */
export const IORING_SETUP_SUBMIT_ALL = 1 << 7;
export const IORING_SETUP_COOP_TASKRUN = 1 << 8;
/** `IORING_SQ_TASKRUN` tells when the kernel has to be entered for work that waits. */
export const IORING_SETUP_TASKRUN_FLAG = 1 << 9;
export const IORING_SETUP_SINGLE_ISSUER = 1 << 12;
export const IORING_SETUP_DEFER_TASKRUN = 1 << 13;
/** Linux 6.5: the rings lie in memory of ours. */
export const IORING_SETUP_NO_MMAP = 1 << 14;

export const IORING_OFF_SQ_RING = 0;
export const IORING_OFF_SQES = 0x10000000;

/** In the completion ring's flags: the registered eventfd stays silent. */
export const IORING_CQ_EVENTFD_DISABLED = 1 << 0;
export const IORING_SQ_CQ_OVERFLOW = 1 << 1;
export const IORING_SQ_TASKRUN = 1 << 2;

export const IORING_ENTER_GETEVENTS = 1 << 0;
export const IORING_ENTER_EXT_ARG = 1 << 3;

export const IORING_REGISTER_EVENTFD = 4;
export const IORING_REGISTER_PROBE = 8;
export const IORING_REGISTER_PBUF_RING = 22;
export const IORING_UNREGISTER_PBUF_RING = 23;

export const IO_URING_OP_SUPPORTED = 1 << 0;

export const IORING_OP_NOP = 0;
export const IORING_OP_POLL_ADD = 6;
export const IORING_OP_SENDMSG = 9;
export const IORING_OP_RECVMSG = 10;
export const IORING_OP_ACCEPT = 13;
export const IORING_OP_ASYNC_CANCEL = 14;
export const IORING_OP_CONNECT = 16;
export const IORING_OP_SEND = 26;
export const IORING_OP_RECV = 27;
export const IORING_OP_SEND_ZC = 47;

export const IORING_POLL_ADD_MULTI = 1 << 0;
export const IORING_ASYNC_CANCEL_ALL = 1 << 0;
export const IORING_ASYNC_CANCEL_FD = 1 << 1;
export const IORING_RECV_MULTISHOT = 1 << 1;
export const IORING_ACCEPT_MULTISHOT = 1 << 0;

export const IORING_CQE_F_BUFFER = 1 << 0;
export const IORING_CQE_F_MORE = 1 << 1;
export const IORING_CQE_F_NOTIF = 1 << 3;
export const IORING_CQE_BUFFER_SHIFT = 16;

export const io_uring_params = {
  sq_entries: 0,
  cq_entries: 4,
  flags: 8,
  features: 20,
  sq_off: 40,
  cq_off: 80,
  $size: 120,
} as const;
/** `resv2` is `user_addr` since Linux 6.5. */
export const io_sqring_offsets = {
  head: 0,
  tail: 4,
  ring_mask: 8,
  flags: 16,
  array: 24,
  resv2: 32,
  $size: 40,
} as const;
export const io_cqring_offsets = {
  head: 0,
  tail: 4,
  ring_mask: 8,
  overflow: 16,
  cqes: 20,
  flags: 24,
  resv2: 32,
  $size: 40,
} as const;
export const io_uring_buf_reg = { ring_addr: 0, ring_entries: 8, bgid: 12, $size: 40 } as const;
export const io_uring_getevents_arg = { sigmask: 0, sigmask_sz: 8, ts: 16, $size: 24 } as const;
export const __kernel_timespec = { tv_sec: 0, tv_nsec: 8, $size: 16 } as const;
export const io_uring_probe = { last_op: 0, ops_len: 1, ops: 16, $size: 16 } as const;
export const io_uring_probe_op = { op: 0, flags: 2, $size: 8 } as const;

// ---------------------------------------------------------------- memory
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 0x01;
export const MAP_POPULATE = 0x8000;

// ---------------------------------------------------------------- sockets
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_CLOEXEC = 0x80000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_RCVTIMEO = 20;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const SHUT_WR = 1;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITALL = 0x100;
export const MSG_NOSIGNAL = 0x4000;
export const sockaddr_in = { sin_family: 0, sin_port: 2, sin_addr: 4, $size: 16 } as const;
export const sockaddr_in6 = { $size: 28 } as const;
export const sockaddr_un = { sun_family: 0, sun_path: 2, $size: 110 } as const;
export const sockaddr_storage = { $size: 128 } as const;
export const iovec = { iov_base: 0, iov_len: 8, $size: 16 } as const;
export const linger = { l_onoff: 0, l_linger: 4, $size: 8 } as const;
export const timeval = { tv_sec: 0, tv_usec: 8, $size: 16 } as const;

// ---------------------------------------------------------------- waiting
export const EFD_CLOEXEC = 0x80000;
export const EFD_NONBLOCK = 0x800;
export const EPOLL_CLOEXEC = 0x80000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x001;
export const EPOLLONESHOT = 2 ** 30;
export const POLLIN = 0x001;

// ---------------------------------------------------------------- errors told apart
export const EPERM = 1;
export const EINTR = 4;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const EPIPE = 32;
export const ENOSYS = 38;
export const EPROTO = 71;
export const ENONET = 64;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const ETIME = 62;
export const ECONNREFUSED = 111;
export const EHOSTDOWN = 112;
export const EHOSTUNREACH = 113;
export const ECANCELED = 125;
