/* Preloaded into a program, lets one of its calls of the system fail (Tools/fail-calls).
 *
 *   FAIL_KIND   open, read, write, sync, rename, close, truncate, mmap or thread
 *   FAIL_NTH    which call of the kind fails, from 1; 0 for none
 *   FAIL_ERRNO  with what, a number
 *   FAIL_COUNT  a file that gets the number of calls when the program ends
 *
 * What the C library calls inside itself is not seen. Of mmap and pthread_create only calls out of the program itself
 * count: those of the loader, of malloc and of libraries are none that it could answer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *kind = "";
static long nth, code, count;
static struct { uintptr_t start, end; } program;

static int find_program(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size, (void)context;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = start + info->dlpi_phdr[i].p_memsz;
    if (!program.start || start < program.start) program.start = start;
    if (end > program.end) program.end = end;
  }
  return 1; /* the first object is the program */
}

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("FAIL_KIND");
  if (text) kind = text;
  if ((text = getenv("FAIL_NTH"))) nth = atol(text);
  if ((text = getenv("FAIL_ERRNO"))) code = atol(text);
  dl_iterate_phdr(find_program, NULL);
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAIL_COUNT");
  if (!path) return;
  char text[24];
  int length = snprintf(text, sizeof text, "%ld\n", count);
  long file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0) return;
  syscall(SYS_write, file, text, length);
  syscall(SYS_close, file);
}

/* Counts a call; whether it is the one. */
static bool strikes(const char *of) {
  if (strcmp(kind, of) != 0) return false;
  if (__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) != nth) return false;
  errno = (int)code;
  return true;
}

static bool is_program(const void *caller) {
  return (uintptr_t)caller >= program.start && (uintptr_t)caller < program.end;
}

#define CALL(name, ...)                                                 \
  ({                                                                    \
    static typeof(&name) next;                                          \
    if (!next) next = (typeof(&name))dlsym(RTLD_NEXT, #name);           \
    next(__VA_ARGS__);                                                  \
  })

#define OPEN(name)                                            \
  int name(const char *path, int flags, ...) {                \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    int mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, int) : 0; \
    va_end(rest);                                             \
    return strikes("open") ? -1 : CALL(name, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                          \
  int name(int folder, const char *path, int flags, ...) {    \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    int mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, int) : 0; \
    va_end(rest);                                             \
    return strikes("open") ? -1 : CALL(name, folder, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode) { return strikes("open") ? NULL : CALL(fopen, path, mode); }
FILE *fopen64(const char *path, const char *mode) { return strikes("open") ? NULL : CALL(fopen64, path, mode); }

ssize_t read(int file, void *bytes, size_t size) { return strikes("read") ? -1 : CALL(read, file, bytes, size); }
ssize_t pread(int file, void *bytes, size_t size, off_t at) {
  return strikes("read") ? -1 : CALL(pread, file, bytes, size, at);
}
ssize_t pread64(int file, void *bytes, size_t size, off64_t at) {
  return strikes("read") ? -1 : CALL(pread64, file, bytes, size, at);
}

ssize_t write(int file, const void *bytes, size_t size) {
  return strikes("write") ? -1 : CALL(write, file, bytes, size);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
  return strikes("write") ? -1 : CALL(pwrite, file, bytes, size, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  return strikes("write") ? -1 : CALL(pwrite64, file, bytes, size, at);
}
ssize_t writev(int file, const struct iovec *parts, int parts_count) {
  return strikes("write") ? -1 : CALL(writev, file, parts, parts_count);
}
ssize_t pwritev(int file, const struct iovec *parts, int parts_count, off_t at) {
  return strikes("write") ? -1 : CALL(pwritev, file, parts, parts_count, at);
}

int fsync(int file) { return strikes("sync") ? -1 : CALL(fsync, file); }
int fdatasync(int file) { return strikes("sync") ? -1 : CALL(fdatasync, file); }

int rename(const char *a, const char *b) { return strikes("rename") ? -1 : CALL(rename, a, b); }
int renameat(int x, const char *a, int y, const char *b) {
  return strikes("rename") ? -1 : CALL(renameat, x, a, y, b);
}
int renameat2(int x, const char *a, int y, const char *b, unsigned flags) {
  return strikes("rename") ? -1 : CALL(renameat2, x, a, y, b, flags);
}
int link(const char *a, const char *b) { return strikes("rename") ? -1 : CALL(link, a, b); }
int linkat(int x, const char *a, int y, const char *b, int flags) {
  return strikes("rename") ? -1 : CALL(linkat, x, a, y, b, flags);
}

/* Linux gives the descriptor up even where closing it fails. */
int close(int file) {
  if (!strikes("close")) return CALL(close, file);
  CALL(close, file);
  errno = (int)code;
  return -1;
}

int ftruncate(int file, off_t size) { return strikes("truncate") ? -1 : CALL(ftruncate, file, size); }
int ftruncate64(int file, off64_t size) { return strikes("truncate") ? -1 : CALL(ftruncate64, file, size); }
int fchmod(int file, mode_t mode) { return strikes("truncate") ? -1 : CALL(fchmod, file, mode); }

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
  if (is_program(__builtin_return_address(0)) && strikes("mmap")) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}
void *mmap64(void *at, size_t size, int protection, int flags, int file, off64_t offset) {
  if (is_program(__builtin_return_address(0)) && strikes("mmap")) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  if (is_program(__builtin_return_address(0)) && strikes("thread")) return (int)code;
  return CALL(pthread_create, thread, attributes, body, argument);
}
