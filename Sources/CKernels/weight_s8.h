/* The arrangement of int8 panels, the same for every instruction set: rows become bytes a piece at a time
 * and the bytes go to their places, four channels of one column beside one another.                   */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* q[j] = round(x[j]/scale), ties to even, values beyond ±127 become ±127; may write 15 bytes behind n */
typedef void round_to_bytes_fn(size_t n, const float *x, float scale, int8_t *q);

enum { PIECE = 1024, SLACK = 16 };   /* bytes of a row at a time: 16 rows of them fit the nearest cache */

#define PACK_INLINE static inline __attribute__((always_inline))

PACK_INLINE void pack_s8_taps(size_t rows, size_t channels, const size_t taps, const float *x,
                              const float *scale, int8_t *y, round_to_bytes_fn *round_to_bytes) {
  const size_t groups = (channels + 3) / 4, tap_bytes = 64 + groups * 64;
  const size_t piece = PIECE / (4 * taps);   /* groups */
  int8_t q[PIECE + SLACK];
  for (size_t t = 0; t < taps; t++) memset(y + t * tap_bytes, 0, rows < 16 ? tap_bytes : 64);
  for (size_t first = 0; first < groups; first += piece) {
    const size_t count = groups - first < piece ? groups - first : piece;
    const size_t values = (channels - 4 * first < 4 * count ? channels - 4 * first : 4 * count) * taps;
    for (size_t j = 0; j < rows; j++) {
      if (scale[j] == 0) memset(q, 0, 4 * count * taps);
      else round_to_bytes(values, x + (j * channels + 4 * first) * taps, scale[j], q);
      memset(q + values, 0, 4 * count * taps - values);
      for (size_t t = 0; t < taps; t++) {
        int8_t *tap = y + t * tap_bytes, *to = tap + 64 + first * 64 + 4 * j;
        int32_t sum, sum_here = 0;
        if (taps == 1) {
          for (size_t c = 0; c < 4 * count; c++) sum_here += q[c];
          for (size_t g = 0; g < count; g++) memcpy(to + 64 * g, q + 4 * g, 4);
        } else {
          for (size_t g = 0; g < count; g++)
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

/* See pack_panel_s8_fn; the sizes of convolutions in use become constants. */
PACK_INLINE void pack_s8(size_t rows, size_t channels, size_t taps, const float *x, const float *scale,
                         int8_t *y, round_to_bytes_fn *round_to_bytes) {
  if (taps == 1) pack_s8_taps(rows, channels, 1, x, scale, y, round_to_bytes);
  else if (taps == 9) pack_s8_taps(rows, channels, 9, x, scale, y, round_to_bytes);
  else pack_s8_taps(rows, channels, taps, x, scale, y, round_to_bytes);
}

/* The tree in which the 16 sums of quantization_error and energy come together. */
static inline double sum_of_lanes(const float *lane) {
  double sum[8];
  for (size_t l = 0; l < 8; l++) sum[l] = (double)lane[l] + (double)lane[l + 8];
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}
