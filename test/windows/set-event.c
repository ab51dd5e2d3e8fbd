/*
 * A foreign program that ends a server through its named event, as the shutdown
 * program of a Windows server does:  set-event NAME
 */
#include <stdio.h>
#include <windows.h>

int wmain(int argc, wchar_t **argv) {
  HANDLE event = argc == 2 ? OpenEventW(EVENT_MODIFY_STATE, FALSE, argv[1]) : NULL;
  if (event == NULL || !SetEvent(event)) {
    fprintf(stderr, "Windows error %lu\n", GetLastError());
    return 1;
  }
  CloseHandle(event);
  return 0;
}
