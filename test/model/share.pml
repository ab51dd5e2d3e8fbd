/*
 * A shared port (assembly/share): completions of one connection
 * are taken by several workers; who takes one claims the connection, or passes
 * it on to the worker that has it; calls are posted; a claim is given up. One
 * step is one access to shared memory, or one critical section of the
 * connection's lock (order.pml is about locks, queue.pml about queues: here
 * both are atomic).
 *
 * Every completion is processed once, and every call run once and in order, by
 * one worker at a time; where completions are ordered, in their order; and
 * when all are idle for good, nothing is left.
 *
 * A macro BROKEN_… breaks one thing; each must be refuted. See models.ts.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef COMPLETIONS
#define COMPLETIONS 3
#endif
#ifndef CALLS
#define CALLS 2
#endif

#define NOBODY 7
#define POKE 15
#define BIT(i) (1 << (i))

/* The port's queue and the inboxes: sets where any order may come, else queues. */
chan port = [COMPLETIONS + 2] of { byte };
chan inbox[WORKERS] = [COMPLETIONS] of { byte };

byte lock = NOBODY;              /* the connection's */
byte dequeue = NOBODY;           /* around taking and claiming */
byte owner = NOBODY;
byte forwarded;
bool poked;
byte waiting;                    /* calls posted and not run */

/* What is checked. */
byte given;                      /* completions that the kernel has reported */
byte posted, ran;
byte processors;
byte processed;
byte idle;                       /* bit w: worker w sleeps for good unless something comes */

#define ACQUIRE(word) atomic { word == NOBODY -> word = _pid }
#define RELEASE(word) word = NOBODY

inline pokeIt() {
  if
  :: !poked -> poked = true; port!POKE
  :: else
  fi
}

/* Takes what was posted; the lock is held no longer than that. */
inline runCalls() {
  ACQUIRE(lock);
  batch = waiting;
  waiting = 0;
  RELEASE(lock);
  atomic { ran = ran + batch; batch = 0 }
}

/* `item` is this worker's to process, which takes several steps. */
inline process() {
  atomic {
    assert(processors == 0);
    processors++
  };
  if
  :: waiting > 0 -> runCalls()
  :: else
  fi;
  atomic {
    if
    :: item != POKE ->
#ifdef ORDERED
      assert(item == processed);
#endif
      processed++
    :: else
    fi;
    processors--;
    item = 0
  }
}

/* `item` came out of the port: mine says whose it is. */
inline claim() {
#ifdef BROKEN_OWNER_OUTSIDE_LOCK
  seen = owner;
  ACQUIRE(lock);
#else
  ACQUIRE(lock);
  seen = owner;
#endif
  if
  :: item == POKE ->
#ifndef BROKEN_POKED_FOR_EVER
    poked = false;
#endif
    mine = (seen == NOBODY || seen == me)
  :: item != POKE && seen == NOBODY -> mine = true
#ifdef BROKEN_OWN_OVERTAKES
  :: item != POKE && seen == me -> mine = true
#else
  :: item != POKE && seen == me && forwarded == 0 -> mine = true
  :: item != POKE && seen == me && forwarded != 0 -> mine = false; forwarded++; inbox[me]!item
#endif
  :: item != POKE && seen != NOBODY && seen != me -> mine = false; forwarded++; inbox[seen]!item
  fi;
  if
  :: seen == NOBODY -> owner = me; claimed = true
  :: else
  fi;
#ifdef BROKEN_UNCLAIMED
  /* Processes what it takes, whoever has the connection. */
  if
  :: item != POKE && !mine -> forwarded--; inbox[seen]??eval(item); mine = true
  :: else
  fi;
#endif
  seen = 0;
  RELEASE(lock)
}

/* True: given up. */
inline release() {
#ifdef BROKEN_CALLS_OUTSIDE_LOCK
  mine = (waiting == 0);
  ACQUIRE(lock);
  if
  :: mine && forwarded == 0 -> owner = NOBODY; claimed = false
  :: else
  fi;
#else
  ACQUIRE(lock);
  if
#if defined(BROKEN_FORWARDED_FORGOTTEN)
  :: waiting == 0 -> owner = NOBODY; claimed = false
#elif defined(BROKEN_CALLS_FORGOTTEN)
  :: forwarded == 0 -> owner = NOBODY; claimed = false
#else
  :: forwarded == 0 && waiting == 0 -> owner = NOBODY; claimed = false
#endif
  :: else
  fi;
#endif
  mine = false;
  RELEASE(lock)
}

#if defined(ORDERED) && !defined(BROKEN_TAKEN_THEN_CLAIMED)
#define TAKE ACQUIRE(dequeue)
#define TAKEN RELEASE(dequeue)
#else
#define TAKE skip
#define TAKEN skip
#endif

active [WORKERS] proctype worker() {
  byte item, seen, batch;
  byte me = _pid;
  bool mine, claimed;

  do
  :: /* A turn: calls on what was kept, the inbox, then the port. */
    if
    :: claimed && waiting > 0 ->
      atomic { assert(processors == 0); processors++ };
      runCalls();
      atomic { processors-- }
    :: else
    fi;
    if
    :: atomic { nempty(inbox[me]) -> inbox[me]?item };
      atomic { forwarded-- };
      assert(owner == me);
      process()
    :: empty(inbox[me]) ->
      TAKE;
      if
      :: atomic { nempty(port) ->
#ifdef ORDERED
          port?item
#else
          if
          :: port?item
          :: port??[1] -> port??1; item = 1
          :: port??[2] -> port??2; item = 2
          fi
#endif
        };
        claim();
        TAKEN;
        if
        :: mine -> process()
        :: else -> item = 0
        fi;
        mine = false
      :: empty(port) -> TAKEN
      fi
    fi;
    if
    :: claimed -> release()
    :: else
    fi;
    if
#ifndef BROKEN_SLEEPS_WITH_CLAIM
    :: claimed                   /* Kept: another turn. */
    :: !claimed ->
#else
    :: true ->
#endif
      atomic { idle = idle | BIT(me) };
      /* Sleeps until the port has something: nothing can come into its inbox. */
      if
      :: nempty(port) -> atomic { idle = idle & ~BIT(me) }
      :: idle == BIT(WORKERS) - 1 && empty(port) && given == COMPLETIONS && posted == CALLS -> break
      fi
    fi
  od;
  /* All are idle for good. */
  assert(processed == COMPLETIONS);
  assert(ran == CALLS);
  assert(owner == NOBODY && forwarded == 0 && waiting == 0)
}

active proctype kernel() {
  do
  :: given < COMPLETIONS -> atomic { port!given; given++ }
  :: else -> break
  od
}

/* Another thread. */
active proctype poster() {
  do
  :: posted < CALLS ->
#ifdef BROKEN_POST_OUTSIDE_LOCK
    if
    :: owner == NOBODY -> ACQUIRE(lock); pokeIt()
    :: else -> ACQUIRE(lock)
    fi;
#else
    ACQUIRE(lock);
    if
    :: owner == NOBODY -> pokeIt()
    :: else
    fi;
#endif
    waiting++;
    RELEASE(lock);
    posted++
  :: else -> break
  od
}
