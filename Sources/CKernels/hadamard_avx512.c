#include "ckernels.h"

#if defined(__x86_64__)
#include "hadamard.h"
#include "math_avx512.h"

#define VECTOR __m512
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define ADD _mm512_add_ps
#define SUB _mm512_sub_ps
#define SCALE(v, by) _mm512_mul_ps(v, _mm512_set1_ps(by))

/* a + b in the lower lane of every pair, a − b in the upper; `other` holds each lane's partner. */
INLINE __m512 butterfly(__m512 x, __m512 other, __mmask16 upper) {
  return _mm512_mask_sub_ps(_mm512_add_ps(x, other), upper, other, x);
}

TARGET void hadamard_avx512(size_t n, size_t width, const float *x, float *y) {
  const float by = hadamard_factor(width);
  for (size_t group = 0; group < n; group += width) {
    float *v = y + group;
    for (size_t i = 0; i < width; i += 16) {
      __m512 r = LOAD(x + group + i);
      r = butterfly(r, _mm512_permute_ps(r, 0xb1), 0xaaaa);
      r = butterfly(r, _mm512_permute_ps(r, 0x4e), 0xcccc);
      r = butterfly(r, _mm512_shuffle_f32x4(r, r, 0xb1), 0xf0f0);
      STORE(v + i, butterfly(r, _mm512_shuffle_f32x4(r, r, 0x4e), 0xff00));
    }
    HADAMARD_STAGES(16)
  }
}

#endif
