/* What every quantize_row agrees on: the largest size is found on bit patterns, where order does not
 * matter and NaN is above everything; the two divisions are done once per row.                     */
#pragma once
#include <stdint.h>
#include <string.h>

enum { SIZE_BITS = 0x7fffffff };

static inline float size_of_bits(uint32_t bits) {
  float size;
  memcpy(&size, &bits, sizeof size);
  return size;
}

/* The scale of a row whose largest size has these bits, and its inverse; both 0 if nothing is there to
 * quantize, scale NaN if a value is not finite. From 2^−100 up neither leaves the normal range.     */
static inline float row_scale(uint32_t largest, float *inverse) {
  const float size = size_of_bits(largest);
  *inverse = 0;
  if (largest >= 0x7f800000u) return __builtin_nanf("");
  if (size < 0x1p-100f) return 0;
  *inverse = 127 / size;
  return size / 127;
}

static inline size_t whole_groups(size_t n) { return (n + 3) & ~(size_t)3; }
