/* An int8 product for instruction sets whose one product of bytes, pmaddubsw, takes bytes without a sign by
 * bytes with one and adds pairs in 16 bits with saturation. Rows are taken apart into sizes |q| and signs,
 * s = −1 where q < 0 and otherwise 0, once for all columns of the tile; then
 *   |q|·(w xor s) = q·w + s·|q|,
 * since w xor −1 = −w − 1: what is wrong depends on the row alone and is put right at the end. No pair exceeds
 * 2·127·128 = 32512 < 2^15. Sixteen bits times ones, pmaddwd, give the sum of a group of 4 k.
 *
 * Whoever includes this defines INLINE (with its target), the rows ROWS that its registers hold (ROWS sums of
 * 16 columns, a size, a sign, a product), and for a register of WIDTH bytes
 *   ints                  the register type
 *   zero(), add(x, y)     in 32 bits
 *   exclusive(x, y)       bitwise
 *   size(x), negative(x)  of bytes: |x|, and −1 where x < 0
 *   group(x)              4 bytes from memory, repeated
 *   pairs(x, y)           pmaddubsw;  fours(x): pmaddwd by ones
 *   get(x), put(x, v)     memory, any address                                                          */
#include <string.h>

#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

enum {
  tile_columns = 32, vectors = 64 / WIDTH,
  depth = 512                            /* k that are taken apart at a time: 1 KiB for each of the rows */
};

/* Sizes and signs of `count` bytes, a multiple of 4; answers Σ s·|q|. */
INLINE int32_t take_apart(size_t count, const uint8_t *q, uint8_t *sizes, int8_t *signs) {
  int32_t lanes[WIDTH / 4], sum = 0;
  ints products = zero();
  size_t j = 0;
  for (; j + WIDTH <= count; j += WIDTH) {
    ints x = size(get(q + j)), s = negative(get(q + j));
    put(sizes + j, x);
    put(signs + j, s);
    products = add(products, fours(pairs(x, s)));
  }
  put(lanes, products);
  for (size_t i = 0; i < WIDTH / 4; i++) sum += lanes[i];
  for (; j < count; j++) {
    int8_t v = (int8_t)q[j];
    signs[j] = v < 0 ? -1 : 0;
    sizes[j] = (uint8_t)(v < 0 ? -v : v);
    sum += v < 0 ? v : 0;
  }
  return sum;
}

/* sums[i][j] (+)= Σ |q|·(w xor s) − wrong[i] over `groups` groups of 4 k, for M rows and 16 columns. */
INLINE void add_products(const int M, size_t groups, const uint8_t *sizes, const int8_t *signs,
                         const int8_t *b, const int32_t *wrong, bool starts, int32_t *sums) {
  ints sum[ROWS][vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sum[i][v] = zero();
  for (size_t g = 0; g < groups; g++, sizes += 4, signs += 4, b += 64)
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      ints x = group(sizes + i * depth), s = group(signs + i * depth);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++)
        sum[i][v] = add(sum[i][v], fours(pairs(x, exclusive(get(b + v * WIDTH), s))));
    }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      int32_t *to = sums + i * tile_columns + v * (WIDTH / 4);
      put(to, add(all(-wrong[i]), starts ? sum[i][v] : add(get(to), sum[i][v])));
    }
}

/* From integer sums to a row of C. */
INLINE void finish(size_t n, const int32_t *sums, float row_scale, bool starts, bool ends, const float *scale,
                   const float *bias, float *restrict c) {
  if (starts)
    for (size_t j = 0; j < n; j++) c[j] = row_scale * (float)sums[j];
  else
    for (size_t j = 0; j < n; j++) c[j] = c[j] + row_scale * (float)sums[j];
  if (ends)
    for (size_t j = 0; j < n; j++) c[j] = c[j] * scale[j] + bias[j];
}

INLINE void gemm(size_t m, size_t n, size_t k, const uint8_t *const *a, const float *row_scale,
                 const int8_t *b, size_t panel_stride, bool starts, bool ends, const float *scale,
                 const float *bias, float *c, size_t ldc) {
  _Alignas(64) uint8_t sizes[ROWS * depth];
  _Alignas(64) int8_t signs[ROWS * depth];
  _Alignas(64) int32_t sums[ROWS * tile_columns];
  for (size_t i = 0; i < m; i += ROWS) {
    const size_t some = m - i < ROWS ? m - i : ROWS;
    int32_t wrong[ROWS];
    size_t kk = 0;
    do {
      const size_t count = k - kk < depth ? k - kk : depth;
      for (size_t r = 0; r < some; r++)
        wrong[r] = take_apart(count, a[i + r] + kk, sizes + r * depth, signs + r * depth);
      for (size_t j = 0; j < n; j += 16) {
        const int8_t *from = b + j / 16 * panel_stride + 64 + 16 * kk;
#define STEP(M) case M: add_products(M, count / 4, sizes, signs, from, wrong, kk == 0, sums + j); break;
        switch (some) { STEPS }
#undef STEP
      }
      kk += depth;
    } while (kk < k);
    for (size_t r = 0; r < some; r++)
      finish(n, sums + r * tile_columns, row_scale[i + r], starts, ends, scale, bias, c + (i + r) * ldc);
  }
}
