/** Named events of Windows (R13): any program of the same user and session can set them. */
import { type ErrorCode, OverlappedError } from '../../src/errors.ts';
import type { SystemEvent, SystemEvents } from '../backend.ts';
import * as c from './constants.ts';
import { loadSystem } from './system.ts';
import type { Win32 } from './win32.ts';

const BAD_NAMES: ReadonlySet<number> = new Set([
  c.ERROR_PATH_NOT_FOUND,
  c.ERROR_INVALID_NAME,
  c.ERROR_BAD_PATHNAME,
  c.ERROR_FILENAME_EXCED_RANGE,
]);
/** MAX_PATH, with the zero at the end. */
const NAME_CHARS_MAX = 259;
/** Backslashes part names from the folder that they are in; there are these two. */
const NAME = /^(?:(?:Local|Global)\\)?[^\\\0]+$/;

/** @throws Error in words for a person: why there are none here */
export async function openEvents(): Promise<SystemEvents> {
  const { win32 } = await loadSystem();
  return {
    kind: 'Windows event',
    create: (name) => createEvent(win32, name),
    set: (name) => setEvent(win32, name),
  };
}

function createEvent(win32: Win32, name: string): SystemEvent {
  checkName(name);
  // It stays set (manual reset), with the access that the user's own programs have by default.
  const handle = win32.CreateEventW(null, 1, 0, name);
  const code = win32.GetLastError();
  if (handle === 0) throw failure('CreateEventW', name, code);
  if (code === c.ERROR_ALREADY_EXISTS) {
    win32.CloseHandle(handle);
    throw failure('CreateEventW', name, code);
  }
  return {
    get isSet() {
      return win32.WaitForSingleObject(handle, 0) === c.WAIT_OBJECT_0;
    },
    close: () => {
      win32.CloseHandle(handle);
    },
  };
}

function setEvent(win32: Win32, name: string): void {
  checkName(name);
  const handle = win32.OpenEventW(c.EVENT_MODIFY_STATE, 0, name);
  if (handle === 0) throw failure('OpenEventW', name, win32.GetLastError());
  const isSet = win32.SetEvent(handle) !== 0;
  const code = win32.GetLastError();
  win32.CloseHandle(handle);
  if (!isSet) throw failure('SetEvent', name, code);
}

function checkName(name: string): void {
  if (NAME.test(name) && name.length <= NAME_CHARS_MAX) return;
  throw new OverlappedError(
    'INVALID_OPTION',
    `'${name}' is no name of an event: 1 to ${NAME_CHARS_MAX} characters without \\, but for Local\\ or Global\\ before them`,
  );
}

function failure(call: string, name: string, code: number): OverlappedError {
  const [error, text] = meaningOf(code);
  return new OverlappedError(error, text(name), { syscall: call, cause: { number: code } });
}

function meaningOf(code: number): [ErrorCode, (name: string) => string] {
  switch (code) {
    case c.ERROR_ALREADY_EXISTS:
      return ['ADDRESS_IN_USE', (name) => `another process listens to the event '${name}'`];
    case c.ERROR_INVALID_HANDLE:
      return ['ADDRESS_IN_USE', (name) => `'${name}' is the name of something else than an event`];
    case c.ERROR_ACCESS_DENIED:
      return ['ACCESS', (name) => `the event '${name}' belongs to another user`];
    case c.ERROR_FILE_NOT_FOUND:
      return ['REFUSED', (name) => `nobody listens to the event '${name}'`];
    default:
      if (BAD_NAMES.has(code))
        return ['INVALID_OPTION', (name) => `no event can have the name '${name}'`];
      return ['UNKNOWN', (name) => `the event '${name}' cannot be used: Windows error ${code}`];
  }
}
