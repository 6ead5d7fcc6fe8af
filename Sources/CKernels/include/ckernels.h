/* Microkernels: leaf functions on float32 rows and panels, one set per instruction set.
 *
 * A *panel* is a matrix slice of 16 columns: k groups of [16 columns]. Every set has every kernel
 * below under the name <kernel>_<isa>; the scalar set is the specification the others are tested
 * against. No kernel allocates, starts threads, keeps state or calls libm in a loop; each reads and
 * writes only the bytes it was given and finishes its own tails.                                  */
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* C[m][n] = start + A[m][k] · B[k][n], summed in the order of k: c = fma(a, b, c) for each k in turn
 * (the scalar twin rounds product and sum apart). The bits of an element depend on its row of A, its
 * column of B and its start only, so a long k may be cut into blocks and m and n may be anything.
 *   m, n          1…rows and 1…columns of the set's tile
 *   a, offset     m row pointers; element k of row i is a[i][offset + k]
 *   b             ceil(n/16) panels, panel_stride floats apart; aligned to 64 bytes
 *   start         n values every row starts from (bias or zeros); NULL: start from C itself
 *   c, ldc        m rows of n floats, ldc floats apart                                            */
typedef void gemm_f32_fn(size_t m, size_t n, size_t k, const float *_Nonnull const *_Nonnull a, size_t offset,
                         const float *b, size_t panel_stride, const float *_Nullable start,
                         float *c, size_t ldc);

/* y[n] = x[n], exact; x holds half or bfloat16 bit patterns */
typedef void widen_fn(size_t n, const uint16_t *x, float *y);

/* y[j·ldy + i] = x[i·ldx + j] for 16 × 16 floats */
typedef void transpose_fn(const float *x, size_t ldx, float *y, size_t ldy);

/* One row of a streaming softmax in powers of two, t[j] = scale·s[j], scale > 0:
 *   m' = max(m, t[0…valid)),  s[j] = 2^(t[j] − m') (0 for j in valid…n),  l' = l·2^(m − m') + Σ s
 * state is (m, l), at first (−inf, 0); returns 2^(m − m'), the factor for sums of earlier tiles.
 * Values under 2^−100 become 0. With valid = 0 the state stays and the factor is 1.               */
typedef float softmax_row_fn(size_t valid, size_t n, float scale, float *s, float *state);

/* s[j] = 2^(scale·s[j] − log_sum[j·step]), step 0 or 1; values under 2^−100 become 0 */
typedef void probability_row_fn(size_t n, float scale, const float *log_sum, size_t step, float *s);

/* dp[j] = p[j]·(dp[j] − delta[j·step])·scale, step 0 or 1 */
typedef void dscore_row_fn(size_t n, float scale, const float *p, const float *delta, size_t step,
                           float *dp);

/* sums[2·c] += Σ y[r][c],  sums[2·c + 1] += Σ y[r][c]·x[r][c]  over rows r, for every channel c,
 * accumulated in double in the order of the rows                                                  */
typedef void channel_sums_fn(size_t rows, size_t channels, const float *x, size_t ldx,
                             const float *y, size_t ldy, double *sums);

/* sums[0] = Σ y·gamma,  sums[1] = Σ y·gamma·x  over n, accumulated in double; gamma NULL: ones.
 * Products y·gamma are rounded to float first.                                                    */
typedef void row_sums_fn(size_t n, const float *x, const float *y, const float *_Nullable gamma,
                         double *sums);

/* y[j] = (x[j] − mean[j·step])·rsigma[j·step]·gamma[j] + beta[j], step 0 or 1 */
typedef void normalize_fn(size_t n, const float *x, const float *mean, const float *rsigma, size_t step,
                          const float *gamma, const float *beta, float *y);

/* dx[j] = rsigma·(gamma[j]·dy[j] − m1 − x̂·m2) with x̂ = (x[j] − mean)·rsigma;
 * mean, rsigma, m1 and m2 are read at j·step, step 0 or 1                                          */
typedef void normalize_dx_fn(size_t n, const float *x, const float *dy, const float *mean,
                             const float *rsigma, const float *m1, const float *m2, size_t step,
                             const float *gamma, float *dx);

typedef void unary_fn(size_t n, const float *x, float *y);                    /* y may be x      */
typedef void binary_fn(size_t n, const float *a, const float *b, float *y);   /* y may be a or b */

/* -- what exists ------------------------------------------------------------------------------ */

enum { CPU_ANY = 0, CPU_AVX2 = 1, CPU_AVX512 = 2, CPU_NEON = 4 };

/* What this CPU and its operating system offer: a union of the bits above. */
uint32_t cpu_features(void);

/* isa, needs, rows and columns of the GEMM tile; the best comes last */
#if defined(__x86_64__)
#define KERNEL_SETS(S)        \
  S(scalar, CPU_ANY, 4, 16)   \
  S(avx2, CPU_AVX2, 6, 16)    \
  S(avx512, CPU_AVX512, 12, 32)
#elif defined(__aarch64__)
#define KERNEL_SETS(S)        \
  S(scalar, CPU_ANY, 4, 16)   \
  S(neon, CPU_NEON, 6, 16)
#else
#define KERNEL_SETS(S) S(scalar, CPU_ANY, 4, 16)
#endif

/* type, kernel: everything a set holds beside its GEMM */
#define KERNELS(K)                                                                  \
  K(widen_fn, widen_f16)                                                            \
  K(widen_fn, widen_bf16)                                                           \
  K(transpose_fn, transpose_16x16)                                                  \
  K(softmax_row_fn, softmax_row)                                                    \
  K(probability_row_fn, probability_row)                                            \
  K(dscore_row_fn, dscore_row)                                                      \
  K(channel_sums_fn, channel_sums)                                                  \
  K(row_sums_fn, row_sums)                                                          \
  K(normalize_fn, normalize)                                                        \
  K(normalize_dx_fn, normalize_dx)                                                  \
  K(unary_fn, silu)         /* x·sigmoid(x) */                                      \
  K(unary_fn, gelu)         /* x·Φ(x) = x·(1 + erf(x/√2))/2 */                      \
  K(unary_fn, quick_gelu)   /* x·sigmoid(1.702·x) */                                \
  K(binary_fn, silu_dx)     /* b·d silu(a)/da */                                    \
  K(binary_fn, gelu_dx)     /* b·d gelu(a)/da */                                    \
  K(binary_fn, quick_gelu_dx)                                                       \
  K(binary_fn, geglu)       /* a·gelu(b) */

struct kernel_set {
  const char *name;
  uint32_t needs, gemm_rows, gemm_columns;
  gemm_f32_fn *gemm_f32;
#define FIELD(type, kernel) type *kernel;
  KERNELS(FIELD)
#undef FIELD
};

size_t kernel_set_count(void);
const struct kernel_set *kernel_set_at(size_t index);

#define DECLARE_scalar(type, kernel) type kernel##_scalar;
#define DECLARE_avx2(type, kernel) type kernel##_avx2;
#define DECLARE_avx512(type, kernel) type kernel##_avx512;
#define DECLARE_neon(type, kernel) type kernel##_neon;
#define DECLARE_SET(isa, needs, rows, columns) \
  gemm_f32_fn gemm_f32_##rows##x##columns##_##isa; KERNELS(DECLARE_##isa)
KERNEL_SETS(DECLARE_SET)
#undef DECLARE_SET

/* -- plain C, bound by memory, the same for every CPU ------------------------------------------- */

binary_fn add_rows, multiply_rows;
void scale_row(size_t n, const float *x, float by, float *y);

/* Packs `rows` ≤ 16 consecutive rows of a weight [N][channels][taps] into one panel of taps·channels
 * groups of 16 columns (missing rows become zero columns); elements of 2 or 4 bytes.               */
void pack_panel_16bit(size_t rows, size_t channels, size_t taps, const uint16_t *x, uint16_t *y);
void pack_panel_32bit(size_t rows, size_t channels, size_t taps, const uint32_t *x, uint32_t *y);

#pragma clang assume_nonnull end
