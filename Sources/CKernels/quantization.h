/* Symmetric quantization of rows (activations) to −127…127. All sets agree: the largest size is found on bit
 * patterns, which compare as sizes do, NaN above everything; the two divisions are done once per row.     */
#pragma once

INLINE uint32_t largest_size(size_t n, const float *x) {
  i32x16 most = size_bits(splat(0)), other = most;
  size_t start = 0;
  for (; start + 32 <= n; start += 32) {
    most = larger_bits(most, size_bits(load(16, x + start)));
    other = larger_bits(other, size_bits(load(16, x + start + 16)));
  }
  most = larger_bits(most, other);
  x += start;
  n -= start;
  IN_BLOCKS(n, most = larger_bits(most, size_bits(load(count, x + j))););
  return largest_bits(most);
}

INLINE float size_of_bits(uint32_t bits) {
  float size;
  memcpy(&size, &bits, sizeof size);
  return size;
}

TARGET float ROW(max_size)(size_t n, const float *x) { return size_of_bits(largest_size(n, x)); }

/* The scale of a row whose largest size has these bits, and its inverse; both 0 if nothing is there to
 * quantize, scale NaN if a value is not finite. From 2^−100 up neither leaves the normal range.         */
INLINE float row_scale(uint32_t largest, float *inverse) {
  const float size = size_of_bits(largest);
  *inverse = 0;
  if (largest >= 0x7f800000u) return __builtin_nanf("");
  if (size < 0x1p-100f) return 0;
  *inverse = 127 / size;
  return size / 127;
}

/* |x·inverse| is below 127.5 although both are rounded, so nothing needs clamping. */
TARGET float ROW(quantize_row)(size_t n, const float *x, uint8_t zero, uint8_t *q) {
  float inverse, scale = row_scale(largest_size(n, x), &inverse);
  if (inverse == 0) {
    memset(q, zero, (n + 3) & ~(size_t)3);
    return scale;
  }
  const f32x16 by = splat(inverse);
  IN_BLOCKS(n,
    const size_t bytes = (count + 3) & ~(size_t)3;
    store_bytes(bytes, q + j, nearest(times(load(count, x + j), by)), zero););
  return scale;
}

/* t lies beside its nearest whole number, so their difference is exact, and at most 1/2 in size. */
TARGET float ROW(quantize_row_16)(size_t n, const float *x, uint8_t zero, uint8_t *high, uint8_t *low) {
  float inverse, scale = row_scale(largest_size(n, x), &inverse);
  if (inverse == 0) {
    memset(high, zero, (n + 3) & ~(size_t)3);
    memset(low, zero, (n + 3) & ~(size_t)3);
    return scale;
  }
  const f32x16 by = splat(inverse);
  IN_BLOCKS(n,
    const size_t bytes = (count + 3) & ~(size_t)3;
    const f32x16 t = times(load(count, x + j), by);
    const f32x16 q = whole(t);
    store_bytes(bytes, high + j, nearest(q), zero);
    store_bytes(bytes, low + j, nearest(times(minus(t, q), splat(254))), zero););
  return scale;
}
