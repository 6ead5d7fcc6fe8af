#include "ckernels.h"

#if defined(__aarch64__)
#include "hadamard.h"
#include "math_neon.h"

#define VECTOR float32x4_t
#define LOAD vld1q_f32
#define STORE vst1q_f32
#define ADD vaddq_f32
#define SUB vsubq_f32
#define SCALE(v, by) vmulq_n_f32(v, by)

/* The stages 1 and 2: a + b in the lower lane of every pair, a − b in the upper. */
INLINE float32x4_t within(float32x4_t r) {
  const uint32x4_t odd = {0, ~0u, 0, ~0u}, upper = {0, 0, ~0u, ~0u};
  float32x4_t other = vrev64q_f32(r);
  r = vbslq_f32(odd, SUB(other, r), ADD(r, other));
  other = vextq_f32(r, r, 2);
  return vbslq_f32(upper, SUB(other, r), ADD(r, other));
}

void hadamard_neon(size_t n, size_t width, const float *x, float *y) {
  const float by = hadamard_factor(width);
  for (size_t group = 0; group < n; group += width) {
    float *v = y + group;
    for (size_t i = 0; i < width; i += 16) {
      const float *from = x + group + i;
      float32x4_t a = within(LOAD(from)), b = within(LOAD(from + 4));
      float32x4_t c = within(LOAD(from + 8)), d = within(LOAD(from + 12));
      float32x4_t ab = ADD(a, b), a_b = SUB(a, b), cd = ADD(c, d), c_d = SUB(c, d);
      STORE(v + i, ADD(ab, cd));
      STORE(v + i + 4, ADD(a_b, c_d));
      STORE(v + i + 8, SUB(ab, cd));
      STORE(v + i + 12, SUB(a_b, c_d));
    }
    HADAMARD_STAGES(4)
  }
}

#endif
