/* What a processor's multiply-add instructions reach when their operands lie in registers: the bound of every product,
 * for benchmarks. */
#ifndef CPEAK_H
#define CPEAK_H

/* Runs a loop of about a million instructions and returns the multiply-adds that it did. */
typedef double peak_fn(void);

/* The loops with the instructions of a kernel set, by its name: of floats, and of signed bytes summed up in 32 bits.
 * Null where none is written for it. Only for processors that run the set. */
peak_fn *peak_f32(const char *set);
peak_fn *peak_s8(const char *set);

#endif
