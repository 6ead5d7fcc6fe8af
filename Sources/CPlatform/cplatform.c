#define _GNU_SOURCE
#include "cplatform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/syscall.h>
#endif

static int count;
static char **values;

#ifdef __GLIBC__
/* Swift's runtime, for programs that are not the process's own: what CommandLine.arguments is to be. */
__attribute__((weak)) void _swift_stdlib_overrideUnsafeArgvArgc(char **values, int count);

/* Swift reads /proc/self/cmdline, which a closed-off environment lacks: it has no arguments there, or traps. glibc calls
 * every function of this section with what main() gets. */
static void keep(int argc, char **argv, char **environment) {
  (void)environment;
  count = argc;
  values = argv;
  if (_swift_stdlib_overrideUnsafeArgvArgc) _swift_stdlib_overrideUnsafeArgvArgc(argv, argc);
}
__attribute__((section(".init_array"), used)) static void (*const keeper)(int, char **, char **) = keep;
#endif

int cplatform_argument_count(void) { return count; }
const char *cplatform_argument(int index) { return values[index]; }

int cplatform_unnamed_file(void) {
#ifdef O_TMPFILE
  return O_TMPFILE;
#else
  return 0;
#endif
}

int cplatform_exchange(const char *a, const char *b) {
#if defined(__GLIBC__)
  return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#elif defined(SYS_renameat2)
  return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2u);
#else
  (void)a, (void)b;
  errno = ENOSYS;
  return -1;
#endif
}

void cplatform_keep_heap_small(void) {
#ifdef __GLIBC__
  /* Left alone, glibc takes ever larger blocks from the heap, where one that lives on keeps the pages of its neighbours, and
   * opens a heap for every thread. */
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
}

int64_t cplatform_address_space(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT64_MAX) return -1;
  return (int64_t)limit.rlim_cur;
}

int cplatform_listen_for_pressure(const char *folder) {
#ifdef __linux__
  char path[4096], line[64];
  int events = -1;
  if (snprintf(path, sizeof path, "%s/memory.pressure_level", folder) >= (int)sizeof path) return -1;
  const int level = open(path, O_RDONLY | O_CLOEXEC);
  if (level < 0) return -1;
  snprintf(path, sizeof path, "%s/cgroup.event_control", folder);
  const int control = open(path, O_WRONLY | O_CLOEXEC);
  if (control >= 0) {
    events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const int length = snprintf(line, sizeof line, "%d %d medium", events, level);
    if (events >= 0 && write(control, line, (size_t)length) != length) {
      close(events);
      events = -1;
    }
    close(control);
  }
  close(level);
  return events;
#else
  (void)folder;
  return -1;
#endif
}

void cplatform_trim_heap(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
