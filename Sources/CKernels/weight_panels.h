/* int8 panels of weights: what a scale costs a row, the panel itself, and floats from it again. */
#pragma once

INLINE f32x16 limited(f32x16 t) { return larger(smaller(t, splat(127)), splat(-127)); }

TARGET double ROW(quantization_error)(size_t n, const float *x, float by) {
  const f32x16 factor = splat(by);
  f32x16 sum = splat(0);
  IN_BLOCKS(n,
    const f32x16 t = times(load(count, x + j), factor);
    const f32x16 e = minus(t, whole(limited(t)));
    sum = plus(sum, times(e, e)););
  return sum_of_wide_lanes(widened(sum));
}

/* -- packing: rows become bytes a piece at a time and the bytes go to their places, four channels of one
 *    column beside one another ------------------------------------------------------------------------ */

enum { PIECE = 1024, SLACK = 16 };   /* bytes of a row at a time: 16 rows of them fit the nearest cache */

/* q[j] = round(x[j]/scale), ties to even, values beyond ±127 become ±127; may write 15 bytes behind n */
INLINE void round_to_bytes(size_t n, const float *x, float scale, uint8_t *q) {
  IN_BLOCKS(n, store_bytes(16, q + j, nearest(limited(divided(load(count, x + j), splat(scale)))), 0););
}

INLINE void pack_taps(size_t rows, size_t channels, const size_t taps, const float *x, const float *scale,
                      int8_t *y) {
  const size_t groups = (channels + 3) / 4, tap_bytes = 64 + groups * 64;
  const size_t piece = PIECE / (4 * taps);   /* groups */
  int8_t q[PIECE + SLACK];
  for (size_t t = 0; t < taps; t++) memset(y + t * tap_bytes, 0, rows < 16 ? tap_bytes : 64);
  for (size_t first = 0; first < groups; first += piece) {
    const size_t some = groups - first < piece ? groups - first : piece;
    const size_t values = (channels - 4 * first < 4 * some ? channels - 4 * first : 4 * some) * taps;
    for (size_t j = 0; j < rows; j++) {
      if (scale[j] == 0) memset(q, 0, 4 * some * taps);
      else round_to_bytes(values, x + (j * channels + 4 * first) * taps, scale[j], (uint8_t *)q);
      memset(q + values, 0, 4 * some * taps - values);
      for (size_t t = 0; t < taps; t++) {
        int8_t *tap = y + t * tap_bytes, *to = tap + 64 + first * 64 + 4 * j;
        int32_t sum, sum_here = 0;
        if (taps == 1) {
          for (size_t c = 0; c < 4 * some; c++) sum_here += q[c];
          for (size_t g = 0; g < some; g++) memcpy(to + 64 * g, q + 4 * g, 4);
        } else {
          for (size_t g = 0; g < some; g++)
            for (size_t p = 0; p < 4; p++) {
              int8_t value = q[(4 * g + p) * taps + t];
              to[64 * g + p] = value;
              sum_here += value;
            }
        }
        memcpy(&sum, tap + 4 * j, 4);
        sum += sum_here;
        memcpy(tap + 4 * j, &sum, 4);
      }
    }
  }
}

/* The sizes of convolutions in use become constants. */
TARGET void ROW(pack_panel_s8)(size_t rows, size_t channels, size_t taps, const float *x, const float *scale,
                               int8_t *y) {
  if (taps == 1) pack_taps(rows, channels, 1, x, scale, y);
  else if (taps == 9) pack_taps(rows, channels, 9, x, scale, y);
  else pack_taps(rows, channels, taps, x, scale, y);
}

/* -- floats again ------------------------------------------------------------------------------------- */

/* 64 bytes are a group: 16 columns of 4 channels. */
INLINE f32x16 load_group(const int8_t *b) { return load(16, (const float *)(const void *)b); }

/* A transposition of four groups puts the 16 bytes of a column side by side: quarter l of the register q is
 * column 4·l + q.                                                                                        */
TARGET void ROW(dequantize_block)(size_t rows, size_t groups, const int8_t *b, const float *scale, float *y) {
  f32x16 g[4];
  for (size_t i = 0; i < 4; i++) g[i] = i < groups ? load_group(b + 64 * i) : splat(0);
  transpose_quads(&g[0], &g[1], &g[2], &g[3]);
#pragma clang loop unroll(full)
  for (size_t q = 0; q < 4; q++)
#pragma clang loop unroll(full)
    for (size_t l = 0; l < 4; l++) {
      const size_t r = 4 * l + q;
      if (r < rows) store(16, y + 16 * r, times(bytes_of_quarter(g[q], l), splat(scale[r])));
    }
}

TARGET void ROW(dequantize_rows)(size_t groups, size_t columns, const int8_t *b, const float *scale, float *y) {
  const f32x16 by = load(columns, scale);
  for (size_t g = 0; g < groups; g++, y += 64) {
    f32x16 v[4];
    spread_bytes(load_group(b + 64 * g), v);
    for (size_t p = 0; p < 4; p++) store(16, y + 16 * p, times(v[p], by));
  }
}
