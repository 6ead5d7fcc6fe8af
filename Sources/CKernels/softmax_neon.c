#include "ckernels.h"

#if defined(__aarch64__)
#include <math.h>

#include "math_neon.h"

INLINE lanes16 larger(lanes16 a, lanes16 b) {
  for (size_t u = 0; u < 4; u++) a.v[u] = vmaxq_f32(a.v[u], b.v[u]);
  return a;
}

INLINE lanes16 plus(lanes16 a, lanes16 b) {
  for (size_t u = 0; u < 4; u++) a.v[u] = vaddq_f32(a.v[u], b.v[u]);
  return a;
}

/* 2^(scale·s − shift). The product is not rounded: the shift is one number for a whole row, so its
 * own rounding cancels when the row is divided by its sum.                                         */
INLINE lanes16 powers(lanes16 s, float scale, lanes16 shift) {
  for (size_t u = 0; u < 4; u++) s.v[u] = exp2_neon(vfmaq_n_f32(vnegq_f32(shift.v[u]), s.v[u], scale));
  return s;
}

/* Lanes from count on become value. */
INLINE lanes16 from_lane(size_t count, lanes16 x, float value) {
  static const uint32_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (size_t u = 0; u < 4; u++) {
    uint32x4_t beyond = vcgeq_u32(vld1q_u32(lane + 4 * u), vdupq_n_u32((uint32_t)count));
    x.v[u] = vbslq_f32(beyond, all(value), x.v[u]);
  }
  return x;
}

float softmax_row_neon(size_t valid, size_t n, float scale, float *s, float *state) {
  lanes16 high = all16(-INFINITY), sums = all16(0);
  IN_BLOCKS(valid, high = larger(high, from_lane(count, get(s + j, count), -INFINITY)););
  float top = vmaxvq_f32(vmaxq_f32(vmaxq_f32(high.v[0], high.v[1]), vmaxq_f32(high.v[2], high.v[3])));
  top = top * scale > state[0] ? top * scale : state[0];

  IN_BLOCKS(valid,
    lanes16 p = from_lane(count, powers(get(s + j, count), scale, all16(top)), 0);
    sums = plus(sums, p);
    put(s + j, count, p););
  memset(s + valid, 0, (n - valid) * sizeof *s);

  float factor = state[0] == top ? 1 : vgetq_lane_f32(exp2_neon(all(state[0] - top)), 0);
  float sum = vaddvq_f32(vaddq_f32(vaddq_f32(sums.v[0], sums.v[1]), vaddq_f32(sums.v[2], sums.v[3])));
  state[0] = top;
  state[1] = state[1] * factor + sum;
  return factor;
}

void probability_row_neon(size_t n, float scale, const float *log_sum, size_t step, float *s) {
  IN_BLOCKS(n, put(s + j, count, powers(get(s + j, count), scale, get_stepped(log_sum, step, j, count))););
}

INLINE lanes16 dscores(lanes16 p, lanes16 dp, lanes16 delta, float scale) {
  for (size_t u = 0; u < 4; u++)
    p.v[u] = vmulq_n_f32(vmulq_f32(p.v[u], vsubq_f32(dp.v[u], delta.v[u])), scale);
  return p;
}

void dscore_row_neon(size_t n, float scale, const float *p, const float *delta, size_t step, float *dp) {
  IN_BLOCKS(n,
    lanes16 shift = get_stepped(delta, step, j, count);
    put(dp + j, count, dscores(get(p + j, count), get(dp + j, count), shift, scale)););
}
#endif
