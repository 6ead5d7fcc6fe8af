/* Rows of attention scores. t = scale·s − shift is not rounded between: the shift is one number for a whole
 * row, so its own rounding cancels when the row is divided by its sum.                                     */
#pragma once

/* The largest of a row, NaNs left out; four chains, since a comparison takes as long as four of them start. */
INLINE float largest_of_row(size_t n, const float *x) {
  const f32x16 none = splat(-__builtin_inff());
  f32x16 high = none;
  size_t start = 0;
  if (n >= 64) {
    f32x16 h1 = none, h2 = none, h3 = none;
    for (; start + 64 <= n; start += 64) {
      high = larger(load(16, x + start), high);
      h1 = larger(load(16, x + start + 16), h1);
      h2 = larger(load(16, x + start + 32), h2);
      h3 = larger(load(16, x + start + 48), h3);
    }
    high = larger(larger(high, h1), larger(h2, h3));
  }
  x += start;
  n -= start;
  IN_BLOCKS(n, high = larger(only(count, load(count, x + j), none), high););
  return largest_lane(high);
}

TARGET float ROW(softmax_row)(size_t valid, size_t n, float scale, float *s, float *state) {
  /* scale > 0, so the largest score has the largest t. Adding 0 leaves no −0: sets may differ in its place. */
  float top = largest_of_row(valid, s) * scale + 0.0f;
  if (state[0] > top) top = state[0];
  const float factor = state[0] == top ? 1 : first_lane(power_of_two(splat(state[0] - top)));

  const f32x16 by = splat(scale), shift = splat(top), zero = splat(0);
  f32x16 sum = zero;
  IN_BLOCKS(valid,
    const f32x16 p = only(count, power_of_two(times_minus(load(count, s + j), by, shift)), zero);
    sum = plus(sum, p);
    store(count, s + j, p););
  if (valid < n) memset(s + valid, 0, (n - valid) * sizeof *s);

  state[0] = top;
  state[1] = state[1] * factor + sum_of_lanes(sum);
  return factor;
}

INLINE void probabilities(size_t n, float scale, const float *log_sum, const size_t step, float *s) {
  const f32x16 by = splat(scale);
  IN_BLOCKS(n,
    const f32x16 t = times_minus(load(count, s + j), by, load_step(count, log_sum, j, step));
    store(count, s + j, power_of_two(t)););
}

TARGET void ROW(probability_row)(size_t n, float scale, const float *log_sum, size_t step, float *s) {
  if (step) probabilities(n, scale, log_sum, 1, s);
  else probabilities(n, scale, log_sum, 0, s);
}

INLINE void dscores(size_t n, float scale, const float *p, const float *delta, const size_t step, float *dp) {
  const f32x16 by = splat(scale);
  IN_BLOCKS(n,
    const f32x16 d = minus(load(count, dp + j), load_step(count, delta, j, step));
    store(count, dp + j, times(times(load(count, p + j), d), by)););
}

TARGET void ROW(dscore_row)(size_t n, float scale, const float *p, const float *delta, size_t step,
                            float *dp) {
  if (step) dscores(n, scale, p, delta, 1, dp);
  else dscores(n, scale, p, delta, 0, dp);
}
