/* The row kernels, once: a file rows_<isa>.c includes the lanes of its instruction set, then this.
 *
 * A vector is 16 lanes in every set, whatever its registers hold, products and sums are fused (except where
 * there is no instruction for it: the scalar set and SSE4.1) and lanes come together in one tree, so the other
 * sets give the same bits. What a header lanes16_<isa>.h defines:
 *
 *   TARGET, INLINE, ROW(kernel)          attributes of functions, and the name of a kernel in this set
 *   f32x16, i32x16, f64x16               16 floats, 32-bit whole numbers, doubles
 *   load(count, x), store(count, y, v)   the first `count` lanes, 1…16; what is not loaded is 0
 *   splat(x), only(count, v, otherwise)  x in every lane; lanes from `count` on are those of `otherwise`
 *   plus, minus, times, divided          a + b, a − b, a·b, a/b
 *   times_plus, times_minus(a, b, c)     a·b + c, a·b − c, fused
 *   minus_times(c, a, b)                 c − a·b, fused
 *   larger, smaller(a, b)                a > b ? a : b, a < b ? a : b: a NaN in a gives b; of two zeros either
 *   where_at_least(t, limit, v)          t ≥ limit ? v : 0
 *   add_to_exponent(p, m)                the bits of p plus those of m shifted left by 23
 *   first_lane, sum_of_lanes, largest_lane
 *                                        tree: lanes 8 apart, then 4, 2 and 1
 *   wide_zero, widened(v), load_wide     in doubles, as are
 *   wide_plus, wide_times_plus, sum_of_wide_lanes
 *   load_pairs(x, &a, &b), store_pairs   a and b of x = a0 b0 a1 b1 …, 32 doubles
 *   size_bits(v)                         bits without the sign
 *   larger_bits, largest_bits            of unsigned numbers
 *   nearest(v)                           rounded to whole numbers, ties to even
 *   store_bytes(count, q, v, zero)       the low bytes plus `zero`; count is a multiple of 4
 *   bytes_of_quarter(bits, q)            the 16 signed bytes of lanes 4·q… as floats
 *   spread_bytes(bits, y)                y[p] = byte p, signed, of every 32-bit lane as floats
 *   load_f16, load_bf16, store_f16       of `count` values
 *   load_quads(x, ld)                    lanes 0–3 from x, 4–7 from x + ld, …
 *   zip_low, zip_high(a, b)              of every four lanes: a0 b0 a1 b1, a2 b2 a3 b3
 *   low_pairs, high_pairs(a, b)          of every four lanes: a0 a1 b0 b1, a2 a3 b2 b3
 *   butterfly_1, _2, _4, _8(v)           a + b and a − b of lanes so far apart, in their places        */
#pragma once
#include <string.h>

#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

/* Runs the statements with j = 0, 16, … and count = 16, and once more with the count that is left; in the
 * first copy the compiler knows count and drops what only the last one needs.                           */
#define IN_BLOCKS(n, ...)                   \
  do {                                      \
    size_t j = 0;                           \
    for (; j + 16 <= (n); j += 16) {        \
      const size_t count = 16;              \
      __VA_ARGS__                           \
    }                                       \
    if (j < (n)) {                          \
      const size_t count = (n) - j;         \
      __VA_ARGS__                           \
    }                                       \
  } while (0)

/* Values j… of a row for step 1, its only value for step 0; step is a constant at every call. */
INLINE f32x16 load_step(size_t count, const float *x, size_t j, const size_t step) {
  return step ? load(count, x + j) : splat(*x);
}

/* Rounds sizes below 2^22 to the nearest whole number: adding 1.5·2^23 leaves no bits for a fraction, and
 * its last bits are the number.                                                                         */
#define ROUNDER 12582912.0f
INLINE f32x16 whole(f32x16 v) { return minus(plus(v, splat(ROUNDER)), splat(ROUNDER)); }

#include "exponential.h"

#include "activation.h"
#include "hadamard.h"
#include "normalization.h"
#include "quantization.h"
#include "rearrangement.h"
#include "attention_rows.h"
#include "softmax.h"
#include "tile_sums.h"
#include "weight_panels.h"
