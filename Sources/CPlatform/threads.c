#define _GNU_SOURCE
#include "cplatform.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#else
#include <pthread.h>
#endif

int cplatform_processors(void) {
#ifdef __linux__
  /* The kernel refuses a set with fewer places than it has processors. */
  for (int places = 1024; places <= 1 << 20; places *= 4) {
    cpu_set_t *set = CPU_ALLOC(places);
    if (!set) break;
    const size_t bytes = CPU_ALLOC_SIZE(places);
    const int count = sched_getaffinity(0, bytes, set) ? 0 : CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online < INT_MAX ? (int)online : 0;
}

#ifdef __linux__

int cplatform_processor(void) { return sched_getcpu(); }

void cplatform_sleep_while(const uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void cplatform_wake(const uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

#else

int cplatform_processor(void) { return -1; }

/* One queue for all words: whoever is woken for another's word returns early. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void cplatform_sleep_while(const uint32_t *word, uint32_t value) {
  pthread_mutex_lock(&mutex);
  if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

void cplatform_wake(const uint32_t *word, int count) {
  (void)word, (void)count;
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

#endif

/* Swift passes a closure as code and context, the context in a register of its own. */
#define SWIFT __attribute__((swiftcall))
typedef SWIFT void code_of_closure(intptr_t, intptr_t, __attribute__((swift_context)) void *);

struct cplatform_closure {
  code_of_closure *code;
  void *context;
};

void cplatform_call(const cplatform_closure *closure, intptr_t a, intptr_t b) {
  closure->code(a, b, closure->context);
}

SWIFT void cplatform_with_closure(code_of_closure *code, void *context, void (*use)(const cplatform_closure *, void *),
                                  void *argument);
void cplatform_with_closure(code_of_closure *code, void *context, void (*use)(const cplatform_closure *, void *),
                            void *argument) {
  const cplatform_closure closure = {code, context};
  use(&closure, argument);
}
