/*
 * The bounded completion queue, as assembly/queue.ts has it: many producers,
 * many consumers, tickets, sleep and wake, closing. One step is one access to
 * shared memory, sequentially consistent.
 *
 * Each completion is taken once, whole, and by a single consumer in the order
 * of its producer; nobody sleeps while a completion lies in the queue; after a
 * close everybody is told.
 *
 * A macro BROKEN_… breaks one thing; each must be refuted. See models.ts.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUSHES /* of each producer */
#define PUSHES 1
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif

#define TOTAL (PRODUCERS * PUSHES)
#define CAPACITY 2
/* Positions count modulo this, and wrap in the middle of the run. */
#define POSITIONS 8
#define FIRST 6
#define EMPTY 15

#define INDEX(position) ((position) % CAPACITY)
/* Sum of a ticket and its index, minus the position: 0, ahead (1 to 3) or behind. */
#define TURN(ticket, position) (((ticket) + INDEX(position) + POSITIONS - (position)) % POSITIONS)
#define BEHIND(turn) ((turn) >= POSITIONS / 2)
#define BIT(i) (1 << (i))

byte ticket[CAPACITY] = FIRST;      /* less its index, as there */
byte value[CAPACITY] = EMPTY;
byte enqueue = FIRST;
bool closing;                       /* the bit above the position: the same word */
#ifdef BROKEN_CLOSED_APART
bool closed;                        /* … or a word of its own */
#endif
byte dequeue = FIRST;
byte sleepers, posts;
bool waking;
byte asleep;                        /* bit t: consumer t sleeps on `posts` */

/* What is checked. */
byte pushed, popped;                /* bit v: the completion v */
byte refused;
byte canceled;

inline notifyOne() {
  atomic {
    if
    :: asleep & BIT(0) -> asleep = asleep & ~BIT(0)
    :: asleep & BIT(1) -> asleep = asleep & ~BIT(1)
    :: asleep & BIT(2) -> asleep = asleep & ~BIT(2)
    :: asleep == 0
    fi
  }
}

inline post() {
#ifndef BROKEN_POST_UNCOUNTED
  posts++;
#endif
  notifyOne()
}

inline postAll() {
  posts++;
  asleep = 0
}

#ifdef BROKEN_CLOSED_APART
#define CLAIM(word, seen) word == seen -> word = (seen + 1) % POSITIONS
#else
#define CLAIM(word, seen) word == seen && !closing -> word = (seen + 1) % POSITIONS
#endif

/* result: 0, EMPTY if full, CLOSED. */
#define FULL 1
#define CLOSED 2

inline push(what) {
  result = 0;
#ifdef BROKEN_CLOSED_APART
  isClosed = closed;
  position = enqueue;
#else
  atomic { isClosed = closing; position = enqueue };
#endif
  do
  :: isClosed -> result = CLOSED; break
  :: else ->
    turn = TURN(ticket[INDEX(position)], position);
    if
    :: turn == 0 ->
      if
#ifdef BROKEN_CLAIM
      :: enqueue == position && !closing -> enqueue = (position + 1) % POSITIONS;
#else
      :: atomic { CLAIM(enqueue, position) };
#endif
#ifdef BROKEN_FILL_LATE
        ticket[INDEX(position)] = (position + 1 + POSITIONS - INDEX(position)) % POSITIONS;
        value[INDEX(position)] = what;
#elif defined(BROKEN_SLEEPERS_EARLY)
        value[INDEX(position)] = what;
        others = sleepers;
        ticket[INDEX(position)] = (position + 1 + POSITIONS - INDEX(position)) % POSITIONS;
#else
        value[INDEX(position)] = what;
        ticket[INDEX(position)] = (position + 1 + POSITIONS - INDEX(position)) % POSITIONS;
#endif
#ifndef BROKEN_SLEEPERS_EARLY
        others = sleepers;
#endif
        if
        :: others > 0 -> post()
        :: else
        fi;
        break
      :: else -> atomic { isClosed = closing; position = enqueue }
      fi
    :: else ->
      atomic {
        if
        :: BEHIND(turn) && enqueue == position && closing == isClosed -> result = FULL; break
        :: else -> isClosed = closing; position = enqueue
        fi
      }
    fi
  od;
  atomic { position = 0; turn = 0; isClosed = false; others = 0 }
}

inline passOn() {
  if
  :: closing -> postAll()
  :: else ->
    position = dequeue;
    if
    :: TURN(ticket[INDEX(position)], position) == 1 -> post()
    :: else
    fi
  fi
}

/* got: a completion, or EMPTY. */
inline pop() {
  got = EMPTY;
  position = dequeue;
  do
  :: turn = (TURN(ticket[INDEX(position)], position) + POSITIONS - 1) % POSITIONS;
    if
    :: turn == 0 ->
      if
#ifdef BROKEN_TAKE
      :: dequeue == position -> dequeue = (position + 1) % POSITIONS;
#else
      :: atomic { dequeue == position -> dequeue = (position + 1) % POSITIONS };
#endif
        got = value[INDEX(position)];
        ticket[INDEX(position)] = (position + CAPACITY + POSITIONS - INDEX(position)) % POSITIONS;
#ifndef BROKEN_NO_PASSING_ON
        if
        :: sleepers > 0 -> passOn()
        :: else
        fi;
#endif
        break
      :: else -> position = dequeue
      fi
    :: else ->
      atomic {
        if
        :: BEHIND(turn) && dequeue == position -> break
        :: else -> position = dequeue
        fi
      }
    fi
  od;
  atomic { position = 0; turn = 0 }
}

inline look() {
  pop();
  if
  :: got == EMPTY ->
    atomic { isClosed = closing; position = enqueue };
    if
#ifdef BROKEN_FINISHED_EARLY
    :: isClosed -> result = CLOSED
#else
    :: isClosed && position == dequeue -> result = CLOSED
#endif
    :: else ->
#ifdef WAKE
      if
      :: atomic { waking -> waking = false; canceled++; result = CLOSED + 1 }
      :: else
      fi
#else
      skip
#endif
    fi;
    atomic { isClosed = false; position = 0 }
  :: else -> result = 1
  fi
}

byte ended;

active [CONSUMERS] proctype consumer() {
  byte position, turn, result, seen;
  byte got = EMPTY;
  bool isClosed;
  byte last[PRODUCERS];

  do
  :: result = 0;
    look();
    if
    :: result == 0 ->
#ifdef BROKEN_ANNOUNCE_LATE
      seen = posts;
      look();
      sleepers++;
#else
      sleepers++;
      seen = posts;
      look();
#endif
      if
      :: result == 0 ->
        atomic {
          if
          :: posts == seen -> asleep = asleep | BIT(_pid)
          :: else
          fi;
          seen = 0
        };
end_asleep:
        if
        :: (asleep & BIT(_pid)) == 0
#ifdef TIMEOUTS
        :: atomic { asleep & BIT(_pid) -> asleep = asleep & ~BIT(_pid) }
#endif
        fi;
        look()
      :: else -> seen = 0
      fi;
      sleepers--
    :: else
    fi;
    if
    :: atomic { result == 1 ->
        assert(got != EMPTY);
        assert(!(popped & BIT(got)));                 /* none doubled */
        popped = popped | BIT(got)
      };
#if CONSUMERS == 1
      atomic {
        /* A producer's completions come in its order. */
        assert(last[got / PUSHES] == got % PUSHES);
        last[got / PUSHES] = got % PUSHES + 1
      };
#endif
      got = EMPTY;
#ifdef TAKE_ONE
      break                                           /* goes off to process it */
#endif
    :: result == CLOSED -> ended++; break
#ifdef TIMEOUTS
    :: result == 0 && CONSUMERS > 1 && _pid == 0 -> break   /* has other work */
#endif
    :: else
    fi
  od
}

active [PRODUCERS] proctype producer() {
  byte position, turn, result, others, sent;
  bool isClosed;

  do
  :: sent < PUSHES ->
    push((_pid - CONSUMERS) * PUSHES + sent);
    atomic {
      if
      :: result == 0 -> pushed = pushed | BIT((_pid - CONSUMERS) * PUSHES + sent); sent++
      :: result == CLOSED -> refused++; sent = PUSHES
      :: else
      fi;
      result = 0
    }
  :: else -> break
  od
}

#ifdef CLOSES
active proctype closer() {
#ifdef BROKEN_CLOSED_APART
  closed = true;
#endif
  closing = true;
  postAll()
}
#endif

#ifdef WAKE
active proctype waker() {
  waking = true;
  postAll()
}
#endif

/* Nobody can go on: everything that was pushed has been taken. */
active proctype observer() {
  timeout ->
  assert(popped == pushed);
#ifdef CLOSES
  assert(ended == CONSUMERS);
#else
  assert(pushed == BIT(TOTAL) - 1);
#endif
#ifdef WAKE
  assert(canceled == 1)
#endif
}
