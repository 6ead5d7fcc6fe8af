/* What of the C library Swift cannot call, or is handed too late. */
#pragma once

#include <stdint.h>

/* The program's arguments as the loader passed them; 0 and NULL where the C library does not pass them on. */
int cplatform_argument_count(void);
const char *cplatform_argument(int index);

/* Flags of open(2) for a file without a name in a folder; 0 where the system has none. */
int cplatform_unnamed_file(void);

/* Lets two names change places in one step. 0, or -1 and errno: EINVAL or ENOSYS where the system or the file system
 * cannot. */
int cplatform_exchange(const char *a, const char *b);

/* --- heap ------------------------------------------------------------------------------------ */

/* Has what is freed go back to the system, for the whole process and for good. */
void cplatform_keep_heap_small(void);

/* Bytes of address space that the process may have; -1 without a limit. */
int64_t cplatform_address_space(void);

/* Gives back what is free on the heap now. */
void cplatform_trim_heap(void);

/* A descriptor that can be read without waiting, 8 bytes that count, when reclaiming memory from a control group of version
 * 1 has become hard; -1 where the system has no such group in that folder, or does not let this process listen. */
int cplatform_listen_for_pressure(const char *folder);

/* --- threads --------------------------------------------------------------------------------- */

/* How many processors this process may run on; 0 where the system does not say. */
int cplatform_processors(void);

/* The number of the processor that the calling thread is on, for the moment; -1 where the system does not say. */
int cplatform_processor(void);

/* One turn of a loop that waits for another processor's store: some tens of cycles of rest. `yield` does nothing on most
 * arm64 cores, `isb` takes about as long as x86's `pause`. */
static inline void cplatform_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

/* Sleeps while *word is value, until it is woken; it may return early. Comparing and falling asleep are one step. */
void cplatform_sleep_while(const uint32_t *word, uint32_t value);

/* Wakes at most count threads that sleep on word. */
void cplatform_wake(const uint32_t *word, int count);

/* A Swift closure of two Ints that does not escape. */
typedef struct cplatform_closure cplatform_closure;

/* Calls it; from any thread, as long as the call that cplatform_with_closure made lasts. */
void cplatform_call(const cplatform_closure *closure, intptr_t a, intptr_t b);

/* cplatform_with_closure is declared in Platform, because only Swift can pass such a closure. */
