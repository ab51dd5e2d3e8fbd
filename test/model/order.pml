/*
 * One connection under several worker threads: the lock, the number, the
 * submission, the in-order store and the hand-over (R2, R3, R4), as
 * assembly/lock.ts, sequence.ts and reorder.ts have them. One step is one
 * access to shared memory, sequentially consistent.
 *
 * The port is any set of submitted operations: each completes at any time, in
 * any order, at any idle thread (queue.pml is about the port itself). The
 * k-th call on a socket gets the k-th bytes, so an operation is named here by
 * the position of its call, and processing in order means by position.
 *
 * A macro BROKEN_… breaks one thing; each must be refuted. See models.ts.
 */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef OPERATIONS /* of each kind */
#define OPERATIONS 3
#endif
#ifndef KINDS
#define KINDS 1
#endif

#define WINDOW 4
/* Numbers count modulo this, and wrap in the middle of the run. */
#define NUMBERS 8
#define FIRST 6
#define NOTHING 15

#define FREE 0
#define HELD 1
#define CONTENDED 2

/* Locks: one for each kind's store, then the socket's, or one a kind. */
#ifdef LOCKS_APART
#define LOCKS (KINDS + KINDS)
#define SOCKET(kind) (KINDS + kind)
#else
#define LOCKS (KINDS + 1)
#define SOCKET(kind) KINDS
#endif

byte word[LOCKS];
byte asleep[LOCKS];              /* bit t: thread t sleeps on the word */

/* The socket. */
byte calling[KINDS];             /* threads inside the call */
byte calls[KINDS];               /* calls made */
byte numberOf[KINDS * OPERATIONS]; /* by position of the call */
byte pending[KINDS];             /* bit p: submitted, not completed */

/* The numbers, and the store. */
byte taken[KINDS] = FIRST;
byte next[KINDS] = FIRST;
bool processing[KINDS];
byte place[KINDS * WINDOW] = NOTHING;

/* What is checked. */
byte unsubmitted[KINDS] = OPERATIONS;
byte processors[KINDS];
byte processed[KINDS];
byte busy;

#define BIT(i) (1 << (i))
#define PLACE(kind, number) place[(kind) * WINDOW + ((number) % WINDOW)]

/* ------------------------------------------------------------ lock.ts */
#ifdef BROKEN_LOCK_NOT_ATOMIC
#define COMPARE_EXCHANGE(lock) word[lock] == FREE -> word[lock] = HELD
#else
#define COMPARE_EXCHANGE(lock) atomic { word[lock] == FREE -> word[lock] = HELD }
#endif

#ifdef BROKEN_WOKEN_UNMARKED
/* Who was woken takes the lock as if nobody else slept. */
#define AS_WOKEN (woken -> HELD : CONTENDED)
#else
#define AS_WOKEN CONTENDED
#endif

inline acquire(lock) {
  if
  :: COMPARE_EXCHANGE(lock)
  :: else ->
    if
    :: COMPARE_EXCHANGE(lock)    /* while spinning: a vain look changes nothing */
    :: true ->
      do
      :: atomic { word[lock] == FREE -> word[lock] = AS_WOKEN; woken = false; break }
      :: atomic { word[lock] != FREE -> word[lock] = CONTENDED };
        /* futexWait: looks and falls asleep in one step. */
#ifdef BROKEN_SLEEP_WITHOUT_LOOK
        atomic { asleep[lock] = asleep[lock] | BIT(_pid); woken = true };
#else
        atomic {
          if
          :: word[lock] == CONTENDED -> asleep[lock] = asleep[lock] | BIT(_pid)
          :: else
          fi;
          woken = true
        };
#endif
        (asleep[lock] & BIT(_pid)) == 0
      od
    fi
  fi
}

inline release(lock) {
  atomic { old = word[lock]; assert(old != FREE); word[lock] = FREE };
#ifndef BROKEN_NO_WAKE
  if
  :: old == CONTENDED ->
    /* futexNotify of one sleeper, whichever. */
    atomic {
      if
      :: asleep[lock] & BIT(0) -> asleep[lock] = asleep[lock] & ~BIT(0)
      :: asleep[lock] & BIT(1) -> asleep[lock] = asleep[lock] & ~BIT(1)
      :: asleep[lock] & BIT(2) -> asleep[lock] = asleep[lock] & ~BIT(2)
      :: asleep[lock] == 0
      fi
    }
  :: else
  fi;
#endif
  old = 0
}

/* ------------------------------------------- number and submission (R2) */
inline take(kind) {
#ifdef BROKEN_NUMBER_NOT_ATOMIC
  number = taken[kind];
  taken[kind] = (number + 1) % NUMBERS
#else
  atomic { number = taken[kind]; taken[kind] = (number + 1) % NUMBERS }
#endif
}

inline callSocket(kind) {
  atomic { assert(calling[kind] == 0); calling[kind]++ };
  atomic {
    position = calls[kind];
    numberOf[kind * OPERATIONS + position] = number;
    pending[kind] = pending[kind] | BIT(position);
    calls[kind]++;
    calling[kind]--;
    number = 0;
    position = 0
  }
}

inline submit(kind) {
#if defined(BROKEN_NO_SOCKET_LOCK)
  take(kind);
  callSocket(kind)
#elif defined(BROKEN_NUMBER_OUTSIDE_LOCK) || defined(BROKEN_NUMBER_NOT_ATOMIC)
  take(kind);
  acquire(SOCKET(kind));
  callSocket(kind);
  release(SOCKET(kind))
#elif defined(BROKEN_CALL_OUTSIDE_LOCK)
  acquire(SOCKET(kind));
  take(kind);
  release(SOCKET(kind));
  callSocket(kind)
#else
  acquire(SOCKET(kind));
  take(kind);
  callSocket(kind);
  release(SOCKET(kind))
#endif
}

/* ------------------------------------------------ reorder.ts (R3, R4) */
#ifdef BROKEN_STORE_UNLOCKED
#define LOCK_STORE(kind) skip
#define UNLOCK_STORE(kind) skip
#else
#define LOCK_STORE(kind) acquire(kind)
#define UNLOCK_STORE(kind) release(kind)
#endif

/* `position` with `number`: hand = it, or NOTHING if it was stored. */
inline getNext(kind) {
  LOCK_STORE(kind);
  distance = (number + NUMBERS - next[kind]) % NUMBERS;
  if
  :: distance == 0 ->
    assert(!processing[kind]);                         /* else a duplicate */
    assert(PLACE(kind, number) == NOTHING);            /* the invariant */
    processing[kind] = true;
#ifdef BROKEN_ADVANCE_EARLY
    next[kind] = (number + 1) % NUMBERS;
    processing[kind] = false;
#endif
    hand = position
  :: else ->
    assert(distance < WINDOW);                         /* else before, or beyond the window */
    assert(PLACE(kind, number) == NOTHING);            /* else a duplicate */
#ifdef BROKEN_CHECK_THEN_STORE
    UNLOCK_STORE(kind);
    LOCK_STORE(kind);
#endif
    PLACE(kind, number) = position;
    hand = NOTHING
  fi;
  atomic { distance = 0; number = 0; position = 0 };
  UNLOCK_STORE(kind)
}

/* The one in hand is processed: hand = its successor, or NOTHING. */
inline processAndGetNext(kind) {
#if defined(BROKEN_ADVANCE_EARLY)
  LOCK_STORE(kind);
  number = next[kind];
  hand = PLACE(kind, number);
  if
  :: hand != NOTHING -> PLACE(kind, number) = NOTHING; next[kind] = (number + 1) % NUMBERS
  :: else
  fi;
  UNLOCK_STORE(kind)
#elif defined(BROKEN_LOOK_THEN_LEAVE)
  /* Looks for the successor, and says in a second step that it leaves. */
  LOCK_STORE(kind);
  number = (next[kind] + 1) % NUMBERS;
  hand = PLACE(kind, number);
  if
  :: hand != NOTHING -> PLACE(kind, number) = NOTHING; next[kind] = number
  :: else ->
    UNLOCK_STORE(kind);
    LOCK_STORE(kind);
    next[kind] = number;
    processing[kind] = false
  fi;
  UNLOCK_STORE(kind)
#else
  LOCK_STORE(kind);
  assert(processing[kind]);                            /* else none is in hand */
  number = (next[kind] + 1) % NUMBERS;
  next[kind] = number;
#ifdef BROKEN_HANDOVER
  UNLOCK_STORE(kind);
  LOCK_STORE(kind);
#endif
  hand = PLACE(kind, number);
  if
  :: hand == NOTHING -> processing[kind] = false
  :: else -> PLACE(kind, number) = NOTHING
  fi;
  UNLOCK_STORE(kind)
#endif
  ;
  number = 0
}

/* -------------------------------------------------------------- threads */
inline process(kind) {
  atomic {
    assert(processors[kind] == 0);     /* never two at once */
    processors[kind]++;
    assert(hand == processed[kind])    /* in order, none lost, none doubled */
  };
#ifdef HANDLER_SUBMITS
  if
  :: atomic { unsubmitted[kind] > 0 -> unsubmitted[kind]-- }; submit(kind)
  :: true
  fi;
#endif
  atomic { processed[kind]++; processors[kind]--; hand = NOTHING }
}

/* An operation whose completion this thread is given: any that is pending. */
inline complete(kind) {
  atomic {
    pending[kind] != 0 ->
    position = 0;
    do
    :: (pending[kind] & BIT(position)) -> break
    :: (pending[kind] >> (position + 1)) != 0 -> position++
    od;
    pending[kind] = pending[kind] & ~BIT(position);
    number = numberOf[kind * OPERATIONS + position];
    busy++
  }
}

#if KINDS > 1
#define ANY(list) (list[0] || list[1])
#define ALL(list, value) (list[0] == value && list[1] == value)
#else
#define ANY(list) (list[0])
#define ALL(list, value) (list[0] == value)
#endif

active [THREADS] proctype worker() {
  byte number, position, distance, old;
  byte hand = NOTHING;
  byte kind;
  bool woken;

  do
#if KINDS > 1
  :: atomic { kind == 0 && (unsubmitted[1] || pending[1]) -> kind = 1 }
  :: atomic { kind == 1 && (unsubmitted[0] || pending[0]) -> kind = 0 }
#endif
  :: atomic { unsubmitted[kind] > 0 -> unsubmitted[kind]--; busy++ };
    submit(kind);
    atomic { busy--; kind = 0 }
  :: complete(kind);
    getNext(kind);
    do
    :: hand != NOTHING ->
      process(kind);
      processAndGetNext(kind)
    :: else -> break
    od;
    atomic { busy--; kind = 0 }
  :: atomic { busy == 0 && !ANY(unsubmitted) && !ANY(pending) ->
      /* All are idle for good: nothing may be left in the store. */
      assert(ALL(processed, OPERATIONS));
      assert(!ANY(processing));
      kind = 0;
      do
      :: kind < KINDS * WINDOW -> assert(place[kind] == NOTHING); kind++
      :: else -> break
      od;
      kind = 0;
      break
    }
  od
}
