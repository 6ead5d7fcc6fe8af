#include "ckernels.h"

#if defined(__aarch64__)
#include "math_neon.h"

INLINE float64x2_t low(float32x4_t x) { return vcvt_f64_f32(vget_low_f32(x)); }
INLINE float64x2_t high(float32x4_t x) { return vcvt_high_f64_f32(x); }

/* Sums of eight channels over a strip of rows, in registers. A product of two floats is exact in
 * double, so fusing it changes no bit.                                                            */
INLINE void sums_of_8(size_t rows, const float *x, size_t ldx, const float *y, size_t ldy, double *sums) {
  float64x2x2_t sum[4];                               /* (Σ y, Σ y·x) of two channels each */
  for (size_t u = 0; u < 4; u++) sum[u] = vld2q_f64(sums + 4 * u);
  for (size_t r = 0; r < rows; r++, x += ldx, y += ldy)
    for (size_t u = 0; u < 4; u += 2) {
      float32x4_t x4 = vld1q_f32(x + 2 * u), y4 = vld1q_f32(y + 2 * u);
      sum[u].val[0] = vaddq_f64(sum[u].val[0], low(y4));
      sum[u].val[1] = vfmaq_f64(sum[u].val[1], low(y4), low(x4));
      sum[u + 1].val[0] = vaddq_f64(sum[u + 1].val[0], high(y4));
      sum[u + 1].val[1] = vfmaq_f64(sum[u + 1].val[1], high(y4), high(x4));
    }
  for (size_t u = 0; u < 4; u++) vst2q_f64(sums + 4 * u, sum[u]);
}

/* Strips of rows small enough that the pages of a strip stay known to the CPU (its TLB) while all
 * channels pass.                                                                                  */
void channel_sums_neon(size_t rows, size_t channels, const float *x, size_t ldx, const float *y, size_t ldy,
                       double *sums) {
  for (size_t strip; rows > 0; rows -= strip, x += strip * ldx, y += strip * ldy) {
    strip = rows < 32 ? rows : 32;
    size_t c = 0;
    for (; c + 8 <= channels; c += 8) sums_of_8(strip, x + c, ldx, y + c, ldy, sums + 2 * c);
    for (; c < channels; c++)
      for (size_t r = 0; r < strip; r++) {
        double dy = y[r * ldy + c];
        sums[2 * c] += dy;
        sums[2 * c + 1] += dy * x[r * ldx + c];
      }
  }
}

typedef struct { float64x2_t sum[2], product[2]; } row_totals;

INLINE void add_4(row_totals *t, float32x4_t x, float32x4_t v) {
  t->sum[0] = vaddq_f64(t->sum[0], low(v));
  t->sum[1] = vaddq_f64(t->sum[1], high(v));
  t->product[0] = vfmaq_f64(t->product[0], low(v), low(x));
  t->product[1] = vfmaq_f64(t->product[1], high(v), high(x));
}

INLINE lanes16 times(lanes16 a, lanes16 b) {
  for (size_t u = 0; u < 4; u++) a.v[u] = vmulq_f32(a.v[u], b.v[u]);
  return a;
}

INLINE double total(const float64x2_t *a, const float64x2_t *b) {
  return vaddvq_f64(vaddq_f64(vaddq_f64(a[0], a[1]), vaddq_f64(b[0], b[1])));
}

/* Vector u of a block goes to totals u mod 2; the lanes are added at the end, always in one order. */
void row_sums_neon(size_t n, const float *x, const float *y, const float *gamma, double *sums) {
  row_totals t[2] = {0};
  IN_BLOCKS(n,
    lanes16 x16 = get(x + j, count), v = get(y + j, count);
    if (gamma) v = times(v, get(gamma + j, count));
    for (size_t u = 0; u < 4; u++) add_4(&t[u % 2], x16.v[u], v.v[u]););
  sums[0] = total(t[0].sum, t[1].sum);
  sums[1] = total(t[0].product, t[1].product);
}

INLINE lanes16 normals(lanes16 x, lanes16 mean, lanes16 rsigma) {
  for (size_t u = 0; u < 4; u++) x.v[u] = vmulq_f32(vsubq_f32(x.v[u], mean.v[u]), rsigma.v[u]);
  return x;
}

void normalize_neon(size_t n, const float *x, const float *mean, const float *rsigma, size_t step,
                    const float *gamma, const float *beta, float *y) {
  IN_BLOCKS(n,
    lanes16 rs = get_stepped(rsigma, step, j, count);
    lanes16 z = normals(get(x + j, count), get_stepped(mean, step, j, count), rs);
    lanes16 g = get(gamma + j, count), b = get(beta + j, count);
    for (size_t u = 0; u < 4; u++) z.v[u] = vfmaq_f32(b.v[u], z.v[u], g.v[u]);
    put(y + j, count, z););
}

void normalize_dx_neon(size_t n, const float *x, const float *dy, const float *mean, const float *rsigma,
                       const float *m1, const float *m2, size_t step, const float *gamma, float *dx) {
  IN_BLOCKS(n,
    lanes16 rs = get_stepped(rsigma, step, j, count);
    lanes16 z = normals(get(x + j, count), get_stepped(mean, step, j, count), rs);
    lanes16 a = get_stepped(m1, step, j, count), b = get_stepped(m2, step, j, count);
    lanes16 v = times(get(gamma + j, count), get(dy + j, count));
    for (size_t u = 0; u < 4; u++) v.v[u] = vfmsq_f32(vsubq_f32(v.v[u], a.v[u]), z.v[u], b.v[u]);
    put(dx + j, count, times(rs, v)););
}
#endif
