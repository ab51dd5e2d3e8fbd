/*
 * What mingw-w64's headers say, as data: this file is compiled to assembly and
 * not run. The test that does so passes `DECLARATIONS`, a generated file that
 * asks about every name in question by the macros below; each answer is a
 * labelled .quad in the assembly.
 */
#define _WIN32_WINNT 0x0A00
/* ntstatus.h has all of them, winnt.h some. */
#define WIN32_NO_STATUS
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <mstcpip.h>
#include <afunix.h>
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <stddef.h>

typedef struct sockaddr_in sockaddr_in;
typedef struct sockaddr_in6 sockaddr_in6;
typedef struct sockaddr_storage sockaddr_storage;
typedef struct sockaddr_un sockaddr_un;
typedef struct linger linger;
typedef struct tcp_keepalive tcp_keepalive;

/* Not in these headers: composed as the documentation composes them. */
#ifndef SIO_UDP_NETRESET
#define SIO_UDP_NETRESET _WSAIOW(IOC_VENDOR, 15)
#endif
/* AcceptEx: "at least 16 bytes more than the maximum address length". */
#define ACCEPT_ADDRESS_EXTRA_BYTES 16

/* A GUID's parts, one number each. */
struct guid {
  long long data1, data2, data3, data4[8];
};

#define NUMBER(name) const long long number_##name = (long long)(name);
#define GUID_OF(name) const struct guid guid_##name = name;
#define RECORD_SIZE(record) const long long size_##record = sizeof(record);
#define FIELD(record, field) const long long offset_##record##__##field = offsetof(record, field);

/* Of a type: bytes, GCC's class (0 void, 1 integer, 5 pointer) and whether it is signed. */
#define TYPE(label, ...)                                                                           \
  const long long type_##label[3] = {                                                              \
      sizeof(__VA_ARGS__), __builtin_classify_type(*(__VA_ARGS__ *)0),                             \
      _Generic(*(__VA_ARGS__ *)0, char : 1, signed char : 1, short : 1, int : 1, long : 1,         \
               long long : 1, default : 0)};

/* Functions that are found by GUID are no declarations: made some, so that -aux-info lists them. */
extern __typeof__(*(LPFN_CONNECTEX)0) ConnectEx;

#include DECLARATIONS
