/* Order: the in-order store, lock and number, the two as one operation, pools, the completion queue. */
#include "kernels.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOTHING (-100)

/* ------------------------------------------------------------------ the store */

struct store {
  uint32_t next, mask, processing, stored;
  int32_t *values;
};

static void store_init(struct store *s, uint32_t window) {
  memset(s, 0, sizeof *s);
  s->mask = window - 1;
  s->values = lines(window * sizeof(int32_t));
  for (uint32_t i = 0; i < window; i++) s->values[i] = NOTHING;
}

static inline int32_t store_get_next(struct store *s, uint32_t sequence, int32_t value) {
  if (value < 0) return -19;
  const uint32_t distance = sequence - s->next;
  if (distance == 0) {
    if (s->processing) return -14;
    s->processing = 1;
    return value;
  }
  if ((int32_t)distance < 0) return -14;
  if (distance > s->mask) return -18;
  int32_t *place = &s->values[sequence & s->mask];
  if (*place != NOTHING) return -14;
  *place = value;
  s->stored++;
  return NOTHING;
}

static inline int32_t store_process(struct store *s) {
  if (!s->processing) return -19;
  const uint32_t next = ++s->next;
  int32_t *place = &s->values[next & s->mask];
  const int32_t value = *place;
  if (value == NOTHING) {
    s->processing = 0;
    return NOTHING;
  }
  *place = NOTHING;
  s->stored--;
  return value;
}

struct order {
  struct store store;
  uint32_t base, count;
  int32_t *out;
  uint32_t done;
};

static int64_t step_store(struct kernel *k, int64_t index) {
  struct order *o = k->state;
  const uint32_t *numbers = (const uint32_t *)k->input;
  int32_t *out = o->out;
  (void)index;
  for (uint32_t i = 0; i < o->count; i++) {
    int32_t value = store_get_next(&o->store, o->base + numbers[i], (int32_t)i);
    while (value >= 0) {
      *out++ = value;
      value = store_process(&o->store);
    }
  }
  o->base += o->count;
  o->done = (uint32_t)(out - o->out);
  return o->done;
}

static uint32_t digest_store(struct kernel *k) {
  const struct order *o = k->state;
  uint32_t value = DIGEST_SEED;
  for (uint32_t i = 0; i < o->done; i++) value = mix(value, (uint32_t)o->out[i]);
  return value;
}

static void close_store(struct kernel *k) {
  struct order *o = k->state;
  free(o->store.values);
  free(o->out);
  free(o);
}

int open_store(struct kernel *k) {
  const int64_t window = k->number[0], count = k->number[1];
  if (window < 1 || (window & (window - 1)) != 0 || count < 1) return -1;
  if (k->input_bytes < (size_t)count * 4) return -1;
  struct order *o = lines(sizeof *o);
  store_init(&o->store, (uint32_t)window);
  o->count = (uint32_t)count;
  o->out = lines((size_t)count * 4);
  k->state = o;
  k->steps = 1;
  k->step = step_store;
  k->digest = digest_store;
  k->close = close_store;
  return 0;
}

/* ------------------------------------------------------------------ lock and number */

static void futex_wait(_Atomic int32_t *word, int32_t expected, const struct timespec *limit) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit, NULL, 0);
}

static void futex_wake(_Atomic int32_t *word, int32_t count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static int try_acquire(_Atomic int32_t *lock) {
  int32_t expected = 0;
  return atomic_compare_exchange_strong(lock, &expected, 1);
}

static void acquire(_Atomic int32_t *lock) {
  if (try_acquire(lock)) return;
  for (int i = 0; i < 40; i++) {
    if (atomic_load(lock) == 0 && try_acquire(lock)) return;
  }
  while (atomic_exchange(lock, 2) != 0) futex_wait(lock, 2, NULL);
}

static void release(_Atomic int32_t *lock) {
  if (atomic_exchange(lock, 0) == 2) futex_wake(lock, 1);
}

struct locked {
  _Atomic int32_t lock __attribute__((aligned(64)));
  _Atomic uint32_t sequence __attribute__((aligned(64)));
  struct store store __attribute__((aligned(64)));
  _Atomic uint32_t sum __attribute__((aligned(64)));
  uint32_t threads, count;
};

static uint32_t lock_loop(struct locked *l, uint32_t count) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    acquire(&l->lock);
    sum += atomic_fetch_add(&l->sequence, 1);
    release(&l->lock);
  }
  return sum;
}

static void *lock_thread(void *argument) {
  struct locked *l = argument;
  atomic_fetch_add(&l->sum, lock_loop(l, l->count / l->threads));
  return NULL;
}

static int64_t step_lock(struct kernel *k, int64_t index) {
  struct locked *l = k->state;
  (void)index;
  atomic_store(&l->sum, 0);
  atomic_store(&l->sequence, 0);
  if (l->threads == 1) {
    atomic_store(&l->sum, lock_loop(l, l->count));
    return l->count;
  }
  pthread_t threads[16];
  for (uint32_t i = 0; i < l->threads; i++) pthread_create(&threads[i], NULL, lock_thread, l);
  for (uint32_t i = 0; i < l->threads; i++) pthread_join(threads[i], NULL);
  return l->count;
}

static uint32_t digest_lock(struct kernel *k) {
  struct locked *l = k->state;
  return mix(mix(DIGEST_SEED, atomic_load(&l->sum)), atomic_load(&l->sequence));
}

static void close_locked(struct kernel *k) {
  struct locked *l = k->state;
  free(l->store.values);
  free(l);
}

static struct locked *open_locked(struct kernel *k, int64_t threads, int64_t count) {
  if (threads < 1 || threads > 16 || count < 1) return NULL;
  struct locked *l = lines(sizeof *l);
  l->threads = (uint32_t)threads;
  l->count = (uint32_t)count;
  k->state = l;
  k->steps = 1;
  k->digest = digest_lock;
  k->close = close_locked;
  return l;
}

int open_lock(struct kernel *k) {
  k->step = step_lock;
  return open_locked(k, k->number[0], k->number[1]) == NULL ? -1 : 0;
}

static int64_t step_operation(struct kernel *k, int64_t index) {
  struct locked *l = k->state;
  uint32_t sum = 0;
  (void)index;
  for (uint32_t i = 0; i < l->count; i++) {
    acquire(&l->lock);
    const uint32_t sequence = atomic_fetch_add(&l->sequence, 1);
    int32_t value = store_get_next(&l->store, sequence, (int32_t)(sequence & 0xffff));
    while (value >= 0) {
      sum += (uint32_t)value;
      value = store_process(&l->store);
    }
    release(&l->lock);
  }
  atomic_store(&l->sum, sum);
  return l->count;
}

int open_operation(struct kernel *k) {
  struct locked *l = open_locked(k, 1, k->number[0]);
  if (l == NULL) return -1;
  store_init(&l->store, 64);
  k->step = step_operation;
  return 0;
}

/* ------------------------------------------------------------------ pools */

struct link {
  uint32_t next, generation;
};

struct pool {
  uint64_t head __attribute__((aligned(64)));
  uint32_t fresh, in_use;
  uint32_t capacity, count, shared;
  struct link *links;
  double *tokens;
};

#define LINK_IN_USE 0xffffffffu
#define LINK_END 0xfffffffeu

/* Every access as the core has it: atomic where the memory is shared, and plain where not. */
#define LOAD(place) (shared ? __atomic_load_n(&(place), __ATOMIC_SEQ_CST) : (place))
#define STORE(place, value) \
  do { \
    if (shared) __atomic_store_n(&(place), (value), __ATOMIC_SEQ_CST); \
    else (place) = (value); \
  } while (0)
#define ADD(place, value) \
  do { \
    if (shared) __atomic_fetch_add(&(place), (value), __ATOMIC_SEQ_CST); \
    else (place) += (value); \
  } while (0)

static inline __attribute__((always_inline)) int exchange64(uint64_t *place, uint64_t *expected, uint64_t value, int shared) {
  if (shared) return __atomic_compare_exchange_n(place, expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  *place = value;
  return 1;
}

static inline __attribute__((always_inline)) int exchange32(uint32_t *place, uint32_t expected, uint32_t value, int shared) {
  if (shared) return __atomic_compare_exchange_n(place, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  if (*place != expected) return 0;
  *place = value;
  return 1;
}

static inline __attribute__((always_inline)) int32_t pool_acquire(struct pool *p, int shared) {
  uint64_t head = LOAD(p->head);
  while ((uint32_t)head != LINK_END) {
    struct link *link = &p->links[(uint32_t)head];
    const uint64_t next = LOAD(link->next);
    const int32_t slot = (int32_t)head;
    if (exchange64(&p->head, &head, (((head >> 32) + 1) << 32) | next, shared)) {
      STORE(link->next, LINK_IN_USE);
      ADD(p->in_use, 1);
      return slot;
    }
  }
  uint32_t fresh = LOAD(p->fresh);
  if (fresh >= p->capacity || !exchange32(&p->fresh, fresh, fresh + 1, shared)) return -9;
  p->links[fresh].generation = 1;
  STORE(p->links[fresh].next, LINK_IN_USE);
  ADD(p->in_use, 1);
  return (int32_t)fresh;
}

static inline __attribute__((always_inline)) int32_t pool_check(struct pool *p, double token, int shared) {
  if (!(token >= 0 && token < 4503599627370496.0)) return -15;
  const uint64_t bits = (uint64_t)token;
  if ((double)bits != token) return -15;
  const uint32_t slot = (uint32_t)bits & ((1u << 20) - 1);
  if (slot >= LOAD(p->fresh)) return -15;
  const struct link *link = &p->links[slot];
  if (LOAD(link->next) != LINK_IN_USE) return -15;
  return LOAD(link->generation) == (uint32_t)(bits >> 20) ? (int32_t)slot : -15;
}

static inline __attribute__((always_inline)) int pool_release(struct pool *p, int32_t slot, int shared) {
  struct link *link = &p->links[slot];
  if ((uint32_t)slot >= LOAD(p->fresh)) return 0;
  if (!exchange32(&link->next, LINK_IN_USE, LINK_END, shared)) return 0;
  const uint32_t generation = link->generation + 1;
  link->generation = generation == 0 ? 1 : generation;
  ADD(p->in_use, (uint32_t)-1);
  uint64_t head = LOAD(p->head);
  do link->next = (uint32_t)head;
  while (!exchange64(&p->head, &head, (head & 0xffffffff00000000ull) | (uint32_t)slot, shared));
  return 1;
}

static inline __attribute__((always_inline)) int64_t run_pool(struct pool *p, int shared) {
  int64_t done = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    const int32_t slot = pool_acquire(p, shared);
    if (slot < 0) return 0;
    p->tokens[i] = (double)(((uint64_t)LOAD(p->links[slot].generation) << 20) | (uint32_t)slot);
  }
  for (uint32_t i = 0; i < p->count; i++) {
    const int32_t slot = pool_check(p, p->tokens[i], shared);
    if (slot >= 0 && pool_release(p, slot, shared)) done++;
  }
  return done;
}

static int64_t step_pool(struct kernel *k, int64_t index) {
  struct pool *p = k->state;
  (void)index;
  return p->shared ? run_pool(p, 1) : run_pool(p, 0);
}

static uint32_t digest_pool(struct kernel *k) {
  const struct pool *p = k->state;
  uint32_t value = DIGEST_SEED;
  for (uint32_t i = 0; i < p->count; i++) {
    const uint64_t bits = (uint64_t)p->tokens[i];
    value = mix(mix(value, (uint32_t)(bits >> 20)), (uint32_t)bits & ((1u << 20) - 1));
  }
  return value;
}

static void close_pool(struct kernel *k) {
  struct pool *p = k->state;
  free(p->links);
  free(p->tokens);
  free(p);
}

int open_pool(struct kernel *k) {
  if (k->number[0] < 1 || k->number[1] < 1) return -1;
  struct pool *p = lines(sizeof *p);
  p->capacity = (uint32_t)k->number[0];
  p->count = (uint32_t)k->number[1];
  p->shared = (uint32_t)k->number[2];
  p->head = LINK_END;
  p->links = lines(p->capacity * sizeof(struct link));
  p->tokens = lines(p->count * sizeof(double));
  k->state = p;
  k->steps = 1;
  k->step = step_pool;
  k->digest = digest_pool;
  k->close = close_pool;
  return 0;
}

/* ------------------------------------------------------------------ the completion queue */

struct cell {
  _Atomic uint32_t ticket;
  uint32_t flags;
  double token;
  int32_t result, buffer, system_error, reserved;
};

struct queue {
  _Atomic uint32_t enqueue __attribute__((aligned(64)));
  _Atomic uint32_t dequeue __attribute__((aligned(64)));
  _Atomic int32_t sleepers __attribute__((aligned(64)));
  _Atomic int32_t posts;
  _Atomic uint32_t sum __attribute__((aligned(64)));
  _Atomic uint32_t ids;
  struct cell *cells;
  uint32_t mask, producers, consumers, count;
};

static int push(struct queue *q, uint32_t value) {
  uint32_t position = atomic_load(&q->enqueue);
  for (;;) {
    struct cell *cell = &q->cells[position & q->mask];
    const int32_t turn = (int32_t)(atomic_load(&cell->ticket) - position);
    if (turn == 0) {
      if (atomic_compare_exchange_strong(&q->enqueue, &position, position + 1)) {
        cell->flags = 0;
        cell->token = value;
        cell->result = (int32_t)value;
        cell->buffer = NOTHING;
        cell->system_error = 0;
        cell->reserved = 0;
        atomic_store(&cell->ticket, position + 1);
        if (atomic_load(&q->sleepers) > 0) {
          atomic_fetch_add(&q->posts, 1);
          futex_wake(&q->posts, 1);
        }
        return 1;
      }
    } else {
      const uint32_t again = atomic_load(&q->enqueue);
      if (turn < 0 && again == position) return 0;
      position = again;
    }
  }
}

static int pop(struct queue *q, struct cell *out) {
  uint32_t position = atomic_load(&q->dequeue);
  for (;;) {
    struct cell *cell = &q->cells[position & q->mask];
    const int32_t turn = (int32_t)(atomic_load(&cell->ticket) - position - 1);
    if (turn == 0) {
      if (atomic_compare_exchange_strong(&q->dequeue, &position, position + 1)) {
        memcpy((char *)out + 4, (char *)cell + 4, sizeof *out - 4);
        atomic_store(&cell->ticket, position + q->mask + 1);
        if (atomic_load(&q->sleepers) > 0) {
          const uint32_t next = atomic_load(&q->dequeue);
          if (atomic_load(&q->cells[next & q->mask].ticket) == next + 1) {
            atomic_fetch_add(&q->posts, 1);
            futex_wake(&q->posts, 1);
          }
        }
        return 1;
      }
    } else {
      const uint32_t again = atomic_load(&q->dequeue);
      if (turn < 0 && again == position) return 0;
      position = again;
    }
  }
}

static int pop_wait(struct queue *q, struct cell *out) {
  const struct timespec limit = {0, 50000000};
  if (pop(q, out)) return 1;
  atomic_fetch_add(&q->sleepers, 1);
  const int32_t posts = atomic_load(&q->posts);
  int taken = pop(q, out);
  if (!taken) {
    futex_wait(&q->posts, posts, &limit);
    taken = pop(q, out);
  }
  atomic_fetch_sub(&q->sleepers, 1);
  return taken;
}

static void *produce(void *argument) {
  struct queue *q = argument;
  const uint32_t share = q->count / q->producers;
  const uint32_t first = atomic_fetch_add(&q->ids, 1) * share;
  const struct timespec moment = {0, 50000};
  for (uint32_t i = 0; i < share; i++) {
    while (!push(q, first + i)) nanosleep(&moment, NULL);
  }
  return NULL;
}

static void *consume(void *argument) {
  struct queue *q = argument;
  uint32_t sum = 0;
  struct cell cell;
  for (uint32_t left = q->count / q->consumers; left > 0;) {
    if (!pop_wait(q, &cell)) continue;
    sum += (uint32_t)cell.result;
    left--;
  }
  atomic_fetch_add(&q->sum, sum);
  return NULL;
}

static int64_t step_queue(struct kernel *k, int64_t index) {
  struct queue *q = k->state;
  (void)index;
  if (q->producers == 0) {
    uint32_t sum = 0;
    struct cell cell;
    for (uint32_t i = 0; i < q->count; i++) {
      if (!push(q, i)) return 0;
    }
    while (pop(q, &cell)) sum = sum * 31 + (uint32_t)cell.result;
    atomic_store(&q->sum, sum);
    return q->count;
  }
  pthread_t threads[32];
  uint32_t started = 0;
  atomic_store(&q->sum, 0);
  atomic_store(&q->ids, 0);
  for (uint32_t i = 0; i < q->consumers; i++) pthread_create(&threads[started++], NULL, consume, q);
  for (uint32_t i = 0; i < q->producers; i++) pthread_create(&threads[started++], NULL, produce, q);
  for (uint32_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  return q->count;
}

static uint32_t digest_queue(struct kernel *k) {
  struct queue *q = k->state;
  return mix(DIGEST_SEED, atomic_load(&q->sum));
}

static void close_queue(struct kernel *k) {
  struct queue *q = k->state;
  free(q->cells);
  free(q);
}

int open_queue(struct kernel *k) {
  const int64_t *n = k->number;
  if (n[0] < 0 || n[0] > 16 || n[1] < 0 || n[1] > 16 || n[2] < 1 || n[3] < 1 || n[3] > 20) return -1;
  struct queue *q = lines(sizeof *q);
  q->producers = (uint32_t)n[0];
  q->consumers = (uint32_t)n[1];
  q->count = (uint32_t)n[2];
  q->mask = (1u << n[3]) - 1;
  q->cells = lines(((size_t)q->mask + 1) * sizeof(struct cell));
  for (uint32_t i = 0; i <= q->mask; i++) atomic_store(&q->cells[i].ticket, i);
  k->state = q;
  k->steps = 1;
  k->step = step_queue;
  k->digest = digest_queue;
  k->close = close_queue;
  return 0;
}
