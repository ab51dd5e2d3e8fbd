/* Bun imports ProcessPrng from bcryptprimitives.dll, which Wine 8 lacks. */
#include <windows.h>

/* RtlGenRandom, in advapi32 by this name. */
BOOLEAN WINAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
  while (length > 0) {
    ULONG part = length < 0x10000000 ? (ULONG)length : 0x10000000;
    if (!SystemFunction036(data, part)) return FALSE;
    data += part;
    length -= part;
  }
  return TRUE;
}
