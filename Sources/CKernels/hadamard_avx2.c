#include "ckernels.h"

#if defined(__x86_64__)
#include "hadamard.h"
#include "math_avx2.h"

#define VECTOR __m256
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define ADD _mm256_add_ps
#define SUB _mm256_sub_ps
#define SCALE(v, by) _mm256_mul_ps(v, _mm256_set1_ps(by))

/* The stages 1, 2 and 4: a + b in the lower lane of every pair, a − b in the upper. */
INLINE __m256 within(__m256 r) {
  __m256 other = _mm256_permute_ps(r, 0xb1);
  r = _mm256_blend_ps(ADD(r, other), SUB(other, r), 0xaa);
  other = _mm256_permute_ps(r, 0x4e);
  r = _mm256_blend_ps(ADD(r, other), SUB(other, r), 0xcc);
  other = _mm256_permute2f128_ps(r, r, 1);
  return _mm256_blend_ps(ADD(r, other), SUB(other, r), 0xf0);
}

TARGET void hadamard_avx2(size_t n, size_t width, const float *x, float *y) {
  const float by = hadamard_factor(width);
  for (size_t group = 0; group < n; group += width) {
    float *v = y + group;
    for (size_t i = 0; i < width; i += 16) {
      __m256 a = within(LOAD(x + group + i)), b = within(LOAD(x + group + i + 8));
      STORE(v + i, ADD(a, b));
      STORE(v + i + 8, SUB(a, b));
    }
    HADAMARD_STAGES(8)
  }
}

#endif
