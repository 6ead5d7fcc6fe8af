/* Sums of channels and rows in double, and what normalizes by them. The square or product of two floats is
 * exact in double, so that it makes no difference whether it is fused: these sums agree on every set.     */
#pragma once

enum { STRIP = 32 };   /* rows: few enough that the processor keeps their pages while all channels pass */

/* Sums of `count` channels over a strip of rows, in registers; `same`: y is x. */
INLINE void sums_of_strip(size_t rows, const size_t count, const float *x, size_t ldx, const float *y,
                          size_t ldy, double *sums, const bool same) {
  double edge[32] = {0};
  double *pairs = count < 16 ? memcpy(edge, sums, 2 * count * sizeof *sums) : sums;
  f64x16 sum, product;
  load_pairs(pairs, &sum, &product);
  for (size_t r = 0; r < rows; r++) {
    const f64x16 yv = load_wide(count, y + r * ldy), xv = same ? yv : load_wide(count, x + r * ldx);
    sum = wide_plus(sum, yv);
    product = wide_times_plus(yv, xv, product);
  }
  store_pairs(pairs, sum, product);
  if (count < 16) memcpy(sums, edge, 2 * count * sizeof *sums);
}

TARGET void ROW(channel_sums)(size_t rows, size_t channels, const float *x, size_t ldx, const float *y,
                              size_t ldy, double *sums) {
  for (size_t strip; rows > 0; rows -= strip, x += strip * ldx, y += strip * ldy) {
    strip = rows < STRIP ? rows : STRIP;
    if (x == y && ldx == ldy) {
      IN_BLOCKS(channels, sums_of_strip(strip, count, y + j, ldy, y + j, ldy, sums + 2 * j, true););
    } else {
      IN_BLOCKS(channels, sums_of_strip(strip, count, x + j, ldx, y + j, ldy, sums + 2 * j, false););
    }
  }
}

TARGET void ROW(row_sums)(size_t n, const float *x, const float *y, const float *gamma, double *sums) {
  f64x16 sum = wide_zero(), product = sum;
  if (gamma) {
    IN_BLOCKS(n,
      const f64x16 v = widened(times(load(count, y + j), load(count, gamma + j)));
      sum = wide_plus(sum, v);
      product = wide_times_plus(v, load_wide(count, x + j), product););
  } else if (x != y) {
    IN_BLOCKS(n,
      const f64x16 v = load_wide(count, y + j);
      sum = wide_plus(sum, v);
      product = wide_times_plus(v, load_wide(count, x + j), product););
  } else {
    IN_BLOCKS(n,
      const f64x16 v = load_wide(count, y + j);
      sum = wide_plus(sum, v);
      product = wide_times_plus(v, v, product););
  }
  sums[0] = sum_of_wide_lanes(sum);
  sums[1] = sum_of_wide_lanes(product);
}

INLINE void normalize_row(size_t n, const float *x, const float *mean, const float *rsigma, const size_t step,
                          const float *gamma, const float *beta, float *y) {
  IN_BLOCKS(n,
    const f32x16 distance = minus(load(count, x + j), load_step(count, mean, j, step));
    const f32x16 normal = times(distance, load_step(count, rsigma, j, step));
    store(count, y + j, times_plus(normal, load(count, gamma + j), load(count, beta + j))););
}

TARGET void ROW(normalize)(size_t n, const float *x, const float *mean, const float *rsigma, size_t step,
                           const float *gamma, const float *beta, float *y) {
  if (step) normalize_row(n, x, mean, rsigma, 1, gamma, beta, y);
  else normalize_row(n, x, mean, rsigma, 0, gamma, beta, y);
}

INLINE void normalize_dx_row(size_t n, const float *x, const float *dy, const float *mean, const float *rsigma,
                             const float *m1, const float *m2, const size_t step, const float *gamma,
                             float *dx) {
  IN_BLOCKS(n,
    const f32x16 r = load_step(count, rsigma, j, step);
    const f32x16 normal = times(minus(load(count, x + j), load_step(count, mean, j, step)), r);
    const f32x16 v = times_minus(load(count, gamma + j), load(count, dy + j), load_step(count, m1, j, step));
    store(count, dx + j, times(r, minus_times(v, normal, load_step(count, m2, j, step)))););
}

TARGET void ROW(normalize_dx)(size_t n, const float *x, const float *dy, const float *mean,
                              const float *rsigma, const float *m1, const float *m2, size_t step,
                              const float *gamma, float *dx) {
  if (step) normalize_dx_row(n, x, dy, mean, rsigma, m1, m2, 1, gamma, dx);
  else normalize_dx_row(n, x, dy, mean, rsigma, m1, m2, 0, gamma, dx);
}
