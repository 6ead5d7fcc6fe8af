#include "ckernels.h"

#if defined(__aarch64__)
#include "math_neon.h"

typedef float32x4_t unary_formula(float32x4_t), binary_formula(float32x4_t, float32x4_t);

INLINE lanes16 apply(unary_formula *f, lanes16 x) {
  for (size_t u = 0; u < 4; u++) x.v[u] = f(x.v[u]);
  return x;
}

INLINE lanes16 apply2(binary_formula *f, lanes16 a, lanes16 b) {
  for (size_t u = 0; u < 4; u++) a.v[u] = f(a.v[u], b.v[u]);
  return a;
}

INLINE float32x4_t one_plus_exp_minus(float32x4_t x) { return vaddq_f32(exp_neon(vnegq_f32(x)), all(1)); }
INLINE float32x4_t sigmoid(float32x4_t x) { return vdivq_f32(all(1), one_plus_exp_minus(x)); }
INLINE float32x4_t normal_cdf(float32x4_t x) {
  return horner(erf_neon(vmulq_n_f32(x, 0.707106781f)), all(0.5f), 0.5f);
}
INLINE float32x4_t normal_density(float32x4_t x) {
  return vmulq_n_f32(exp_neon(vmulq_n_f32(vmulq_f32(x, x), -0.5f)), 0.398942280f);
}

INLINE float32x4_t silu(float32x4_t x) { return vdivq_f32(x, one_plus_exp_minus(x)); }
INLINE float32x4_t quick_gelu(float32x4_t x) {
  return vdivq_f32(x, one_plus_exp_minus(vmulq_n_f32(x, 1.702f)));
}
INLINE float32x4_t gelu(float32x4_t x) { return vmulq_f32(x, normal_cdf(x)); }
INLINE float32x4_t geglu(float32x4_t a, float32x4_t b) { return vmulq_f32(a, gelu(b)); }

/* (x·s(a·x))' = s + a·x·s·(1 − s) */
INLINE float32x4_t gate_dx(float32x4_t ax, float32x4_t dy) {
  float32x4_t s = sigmoid(ax);
  return vmulq_f32(dy, vfmaq_f32(s, vmulq_f32(ax, s), vsubq_f32(all(1), s)));
}
INLINE float32x4_t silu_dx(float32x4_t x, float32x4_t dy) { return gate_dx(x, dy); }
INLINE float32x4_t quick_gelu_dx(float32x4_t x, float32x4_t dy) {
  return gate_dx(vmulq_n_f32(x, 1.702f), dy);
}

/* (x·Φ(x))' = Φ + x·φ */
INLINE float32x4_t gelu_dx(float32x4_t x, float32x4_t dy) {
  return vmulq_f32(dy, vfmaq_f32(normal_cdf(x), x, normal_density(x)));
}

#define UNARY(name)                                                         \
  void name##_neon(size_t n, const float *x, float *y) {                    \
    IN_BLOCKS(n, put(y + j, count, apply(name, get(x + j, count))););       \
  }
#define BINARY(name)                                                                            \
  void name##_neon(size_t n, const float *a, const float *b, float *y) {                        \
    IN_BLOCKS(n, put(y + j, count, apply2(name, get(a + j, count), get(b + j, count))););       \
  }

UNARY(silu)
UNARY(gelu)
UNARY(quick_gelu)
BINARY(silu_dx)
BINARY(gelu_dx)
BINARY(quick_gelu_dx)
BINARY(geglu)
#endif
