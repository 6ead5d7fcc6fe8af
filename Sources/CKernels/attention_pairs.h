/* Softmax and values of int8 attention where pairs of 16 bits are multiplied (pmaddwd): a panel is
 * [pair of keys][16 queries][2 keys], values are 16 bits wide too, and a pair of products is exact.
 *
 * Whoever includes this defines INLINE (with its target), ROWS, the channels that its registers hold (ROWS sums of 16
 * queries and two registers more), and for registers of WIDTH bytes
 *   floats, ints               the register types
 *   get(x), put(x, v)          floats in memory, any address; get_ints and put_ints for integers
 *   minus, times, plus, most   of floats; put_all(x): one in every lane
 *   whole(x), real(x)          floats to integers, ties to even, and back
 *   zero(), add(x, y)          32 bits;  none(): INT16_MIN in every lane
 *   packed(x, y)               packssdw;  each(x, 16 bytes): pshufb with the same table for every 128 bits
 *   words(x), words_add, left, right, halves(x, n)    16 bits: all lanes, sum, shifts by n with zeros and with the sign
 *   rounded(x, y)              pmulhrsw;  power(i): 2^i for i in 0…14, 0 for i < 0
 *   multiply_add(sum, x, y)    sum + pmaddwd(x, y)                                                    */
#include <string.h>

#include "attention.h"
#include "ckernels.h"

enum { vectors = 64 / WIDTH, lanes = WIDTH / 4 };

/* Scores below the maximum, in steps */
INLINE ints steps(const float *s, floats top, floats by) { return whole(times(minus(get(s), top), by)); }

/* Probabilities of two keys as [queries][2 keys]: packing saturates at −2^15, after which every 128 bits hold four
 * queries of one key and the same four of the other.                                                            */
INLINE ints probabilities(ints first, ints second) {
  static const int8_t pairs[16] = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15};
  ints z = words_add(each(packed(first, second), pairs), words(POWER));
  ints f = right(left(z, 5), 1);
  ints y = words_add(rounded(f, words(C3)), words(C2));
  y = words_add(rounded(f, y), words(C1));
  y = words_add(rounded(f, y), words(ONE));
  return rounded(y, power(halves(z, 11)));
}

INLINE void softmax_panel(size_t keys, const float *s, size_t lds, const float *by, float *state,
                          float *factor, void *panel) {
  float high[16];
  floats top[vectors], slope[vectors];
  ints sum[vectors];
#pragma clang loop unroll(full)
  for (size_t v = 0; v < vectors; v++) top[v] = get(s + v * lanes);
  for (size_t k = 1; k < keys; k++)
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) top[v] = most(top[v], get(s + k * lds + v * lanes));
#pragma clang loop unroll(full)
  for (size_t v = 0; v < vectors; v++) put(high + v * lanes, top[v]);
  raise_maximum(high, by, state, factor);

#pragma clang loop unroll(full)
  for (size_t v = 0; v < vectors; v++) {
    top[v] = get(state + v * lanes);
    slope[v] = get(by + v * lanes);
    sum[v] = zero();
  }
  int16_t *to = panel;
  for (size_t k = 0; k < (keys + 3) / 4 * 4; k += 2, to += 32)
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) {
      const float *at = s + k * lds + v * lanes;
      ints first = k < keys ? steps(at, top[v], slope[v]) : none();
      ints second = k + 1 < keys ? steps(at + lds, top[v], slope[v]) : none();
      ints p = probabilities(first, second);
      sum[v] = multiply_add(sum[v], p, words(1));
      put_ints(to + 2 * v * lanes, p);
    }
#pragma clang loop unroll(full)
  for (size_t v = 0; v < vectors; v++) {
    float *sums = state + 16 + v * lanes;
    put(sums, plus(times(get(sums), get(factor + v * lanes)), real(sum[v])));
  }
}

INLINE ints pair(const char *x) {
  int16_t two[2];
  memcpy(two, x, sizeof two);
  return pair_of(two[0], two[1]);
}

/* M channels of 16 queries in M·vectors registers, M a constant at every call */
INLINE void tile(const int M, size_t keys, const char *v, size_t ldv, const float *scale, const char *panel,
                 const float *factor, float *c, size_t ldc) {
  ints sum[ROWS][vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++)
#pragma clang loop unroll(full)
    for (int u = 0; u < vectors; u++) sum[i][u] = zero();
  for (size_t k = 0; k < keys; k += 2, panel += 64, v += 4)
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      ints x = pair(v + (size_t)i * ldv);
#pragma clang loop unroll(full)
      for (int u = 0; u < vectors; u++)
        sum[i][u] = multiply_add(sum[i][u], get_ints(panel + u * WIDTH), x);
    }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++)
#pragma clang loop unroll(full)
    for (int u = 0; u < vectors; u++) {
      float *to = c + (size_t)i * ldc + u * lanes;
      floats x = times(put_all(scale[i]), real(sum[i][u]));
      if (factor) x = plus(times(get(to), get(factor + u * lanes)), x);
      put(to, x);
    }
}

/* As many tiles as rows of at most ROWS make necessary, of equal heights */
INLINE void weigh_values(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                         const float *scale, const void *panels, size_t panel_stride, const float *factor,
                         float *c, size_t ldc) {
  const size_t tiles = (rows + ROWS - 1) / ROWS;
  for (size_t j = 0; j < columns; j += 16)
    for (size_t t = 0; t < tiles; t++) {
      const size_t i = rows * t / tiles;
      const char *v = (const char *)values + i * ldv, *panel = (const char *)panels + j / 16 * panel_stride;
      const float *earlier = factor ? factor + j : NULL;
#define CASE(M) case M: tile(M, keys, v, ldv, scale + i, panel, earlier, c + i * ldc + j, ldc); break;
      switch (rows * (t + 1) / tiles - i) { CASES }
#undef CASE
    }
}
