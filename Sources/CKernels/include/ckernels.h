/* Microkernels: leaf functions on float32 or int8 rows and panels, one set per instruction set.
 *
 * A *panel* is a matrix slice of 16 columns: k groups of [16 columns]. Every set has every kernel
 * below under the name <kernel>_<isa>. No kernel allocates, starts threads, keeps state or calls libm
 * in a loop; each reads and writes only the bytes it was given and finishes its own tails.
 *
 * Row kernels are written once (rows.h) on vectors of 16 lanes with fused products, so that AVX2, AVX-512 and NEON
 * give the same bits; the scalar set and SSE4.1 round products apart, except in kernels called exact. The scalar set
 * is plain C, and what the others are tested against.                                             */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tiles.h"

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

/* One tap of an int8 product; the last tap turns the sum into C:
 *   sum[m][n] = (starts ? 0 : C[m][n]) + row_scale[m]·float(Σ_k A[m][k]·B[k][n])
 *   C[m][n]   = ends ? sum[m][n]·scale[n] + bias[n] : sum[m][n]
 * The inner sum is a 32-bit integer and exact; every float operation rounds on its own, none is fused,
 * so all sets give the same bits. With starts nothing is added to the first product.
 *   m, n          1…rows and 1…columns of the set's int8 tile
 *   k             a multiple of 4, at most 2^17: 2^17·127² < 2^31
 *   a             m row pointers to k bytes, each a value in −127…127 plus the set's s8_zero
 *   row_scale     m factors of the rows; 0 makes a row count as zeros
 *   b             ceil(n/16) panels, panel_stride bytes apart, aligned to 64 bytes. A panel is 16 sums
 *                 Σ_k B[k][j], 32 bits each, then k/4 groups of [16 columns][4 consecutive k], −127…127
 *   scale, bias   n values, read only with ends
 *   c, ldc        m rows of n floats, ldc floats apart; not read with starts                       */
typedef void gemm_s8_fn(size_t m, size_t n, size_t k, const uint8_t *_Nonnull const *_Nonnull a,
                        const float *row_scale, const int8_t *b, size_t panel_stride, bool starts,
                        bool ends, const float *scale, const float *bias, float *c, size_t ldc);

/* max|x| over n values, exact; NaN if one is NaN */
typedef float max_size_fn(size_t n, const float *x);

/* q[j] = round(x[j]·(127/max|x|)) + zero, ties to even; returns the scale max|x|/127.
 * Writes n bytes and then zero up to a multiple of 4. A row whose largest size is under 2^−100 counts as
 * zeros, scale 0; one with an infinity or NaN has zeros and a scale of NaN, so that it is not lost.  */
typedef float quantize_row_fn(size_t n, const float *x, uint8_t zero, uint8_t *q);

/* The same with what rounding left as bytes of their own: x ≈ scale·(high − zero) + scale/254·(low − zero).
 * high[j] = round(t) + zero, low[j] = round(254·(t − round(t))) + zero, t = x[j]·(127/max|x|), ties to even; |low − zero|
 * is at most 127. Returns the scale of high.                                                        */
typedef float quantize_row_16_fn(size_t n, const float *x, uint8_t zero, uint8_t *high, uint8_t *low);

/* Packs `rows` ≤ 16 consecutive rows of a weight [N][channels][taps], taps ≤ 256, into an int8 panel:
 * for every tap 16 column sums, then ceil(channels/4) groups of [16 columns][4 channels], what is missing
 * being 0 (see gemm_s8_fn). q = round(x/scale[row]), ties to even, values beyond ±127 become ±127, and a
 * row of scale 0 becomes zeros.                                                                     */
typedef void pack_panel_s8_fn(size_t rows, size_t channels, size_t taps, const float *x, const float *scale,
                              int8_t *y);

/* Σ (t − round(t))² with t = by·x and the whole numbers limited to ±127: what quantizing with the scale
 * 1/by costs, in steps. Value j goes to the float sum j mod 16, the 16 sums come together in double in
 * one order, nothing is fused: all sets give the same bits.                                         */
typedef double quantization_error_fn(size_t n, const float *x, float by);

/* y = H·x/√width for consecutive groups of `width` values, H[i][j] = (−1)^(bits of i & j): orthogonal and
 * its own inverse. Stages pair neighbours 1, 2, 4, … apart; all sets give the same bits.
 *   n, width      n a multiple of width, width a power of 4 from 64 on
 *   y             may be x                                                                          */
typedef void hadamard_fn(size_t n, size_t width, const float *x, float *y);

/* y[r][4·g + p] = scale[r]·b[g][r][p]: a block of an int8 panel (16 columns r, groups g of 4 channels) as
 * rows of 16 floats, each rounded once.
 *   rows, groups  1…16 rows are written; of the 4 groups those from `groups` on count as zeros       */
typedef void dequantize_block_fn(size_t rows, size_t groups, const int8_t *b, const float *scale, float *y);

/* y[4·g + p][j] = scale[j]·b[g][j][p]: the same panel the other way round, as the rows of 16 columns that a product of
 * floats reads; the same bits.
 *   groups, columns   groups of 4 channels; 1…16 columns have a scale, the others count as zeros   */
typedef void dequantize_rows_fn(size_t groups, size_t columns, const int8_t *b, const float *scale, float *y);

/* y[n] = x[n], exact; x holds half or bfloat16 bit patterns */
typedef void widen_fn(size_t n, const uint16_t *x, float *y);

/* y[n] = the half next to x[n], ties to even; from 65520 up infinite; NaN stays NaN, quiet */
typedef void narrow_fn(size_t n, const float *x, uint16_t *y);

/* y[j·ldy + i] = x[i·ldx + j] for 16 × 16 floats */
typedef void transpose_fn(const float *x, size_t ldx, float *y, size_t ldy);

/* One row of a streaming softmax in powers of two, t[j] = scale·s[j], scale > 0:
 *   m' = max(m, t[0…valid)),  s[j] = 2^(t[j] − m') (0 for j in valid…n),  l' = l·2^(m − m') + Σ s
 * state is (m, l), at first (−inf, 0); returns 2^(m − m'), the factor for sums of earlier tiles.
 * Values under 2^−100 become 0. With valid = 0 the state stays and the factor is 1.               */
typedef float softmax_row_fn(size_t valid, size_t n, float scale, float *s, float *state);

/* One tile of a streaming softmax for int8 attention: keys below one another, 16 queries side by side. Probabilities
 * become whole numbers of 14 bits, with the maximum so far at P = 2^14·2^(−1/2048):
 *   m' = max(m, max_k s[k]),  p[k] ≈ P·2^((s[k] − m')·by/2048),  factor = 2^((m − m')·by/2048),
 *   l' = l·factor + Σ_k p[k]
 * (s − m')·by is rounded to a whole number of steps of 2^−11 octaves and the power computed from it in integers:
 * |p − P·2^(…)| ≤ 2.7·2^−13·p + 1/2. No step is fused: all sets give the same p, l and factor.
 *   keys          1…1024, rows of 16 floats lds apart, not NaN
 *   by            2048·log₂e/√d·(scale of the query) ≥ 0 of 16 queries
 *   state         m of 16 queries, then l of 16; at first −inf and 0
 *   panel         32 bytes for every key, their number rounded up to a multiple of 4, aligned to 64; in the set's own
 *                 order, for its weigh_values                                                     */
typedef void softmax_panel_fn(size_t keys, const float *s, size_t lds, const float *by, float *state,
                              float *factor, void *panel);

/* C[m][n] = C[m][n]·factor[n] + scale[m]·float(Σ_k v[m][k]·p[k][n]): a tile's values, weighted with the
 * probabilities of softmax_panel, to the sums of the tiles before. The inner sum is exact, no step is fused.
 *   rows, columns any number of rows of v; 16 queries or a multiple
 *   keys          a multiple of 4, at most 1024: 2^14·127·1024 < 2^31
 *   values        rows of whole numbers −127…127, each of the set's value_bytes, ldv bytes apart
 *   panels        one for every 16 queries, panel_stride bytes apart
 *   factor        NULL: C is not read
 *   c, ldc        rows of floats, ldc floats apart                                                */
typedef void weigh_values_fn(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                             const float *scale, const void *panels, size_t panel_stride,
                             const float *_Nullable factor, float *c, size_t ldc);

/* Packs `rows` ≤ 16 rows of x, ldx floats apart, into the panel that int8 attention multiplies keys by: 16 sums
 * Σ_c q[r][c], 32 bits each, then ceil(channels/4) groups of [16 rows][4 channels], what is missing being 0. Bytes and
 * scales are those of quantize_row; scale has 16 values, 0 for a row that is missing.               */
typedef void pack_queries_fn(size_t rows, size_t channels, const float *x, size_t ldx, float *scale,
                             int8_t *panel);

/* Rows of x plus shift as quantize_row makes bytes of them, one behind the other, each padded to a multiple of 4;
 * a sum x[r][c] + shift[c] is rounded.                                                              */
typedef void pack_keys_fn(size_t rows, size_t channels, const float *x, size_t ldx, const float *shift,
                          uint8_t zero, uint8_t *q, float *scale);

/* y[r][c] = sums[c][r]·factor[r] for `rows` ≤ 16 queries; a row of sums has 16 floats, lds apart */
typedef void finish_queries_fn(size_t rows, size_t channels, const float *sums, size_t lds,
                               const float *factor, float *y, size_t ldy);

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

/* y[i][j] = residual[i][j] + (t[i][j] + channels[j]), each sum rounded by itself; NULL adds nothing.
 * m rows of n values, ldt, ldr and ldy floats apart; y may be residual.                             */
typedef void finish_tile_fn(size_t m, size_t n, const float *t, size_t ldt, const float *_Nullable channels,
                            const float *_Nullable residual, size_t ldr, float *y, size_t ldy);

typedef void unary_fn(size_t n, const float *x, float *y);                    /* y may be x      */
typedef void binary_fn(size_t n, const float *a, const float *b, float *y);   /* y may be a or b */

/* -- what exists ------------------------------------------------------------------------------ */

enum {
  CPU_ANY = 0, CPU_AVX2 = 1, CPU_AVX512 = 2, CPU_NEON = 4, CPU_AVX512VNNI = 8, CPU_NEON_DOTPROD = 16,
  CPU_SHA = 32,   /* instructions for SHA-256, on either architecture */
  CPU_SSE41 = 64, CPU_AVXVNNI = 128, CPU_NEON_I8MM = 256
};

/* What this CPU and its operating system offer: a union of the bits above. */
uint32_t cpu_features(void);

/* name, needs; instructions of its row kernels; of its float GEMM, rows and columns of the tile; the same of
 * its int8 GEMM and the byte that stands for 0 in its rows. The best comes last. evexvnni is avxvnni in the
 * encoding that processors with AVX-512 VNNI have, and is there to be tested.                       */
#if defined(__x86_64__)
#define KERNEL_SETS(S)                                                                          \
  S(scalar, CPU_ANY, scalar, scalar, 4, 16, scalar, 4, 16, 0)                                   \
  S(sse41, CPU_SSE41, sse41, sse41, 3, 16, sse41, 12, 32, 0)                                    \
  S(avx2, CPU_AVX2, avx2, avx2, 6, 16, avx2, 12, 32, 0)                                         \
  S(avxvnni, CPU_AVX2 | CPU_AVXVNNI, avx2, avx2, 6, 16, avxvnni, 6, 16, 128)                    \
  S(evexvnni, CPU_AVX2 | CPU_AVX512VNNI, avx2, avx2, 6, 16, evexvnni, 6, 16, 128)               \
  S(avx512, CPU_AVX2 | CPU_AVX512, avx512, avx512, 12, 32, avx512, 12, 32, 0)                   \
  S(avx512vnni, CPU_AVX512 | CPU_AVX512VNNI, avx512, avx512, 12, 32, avx512vnni, 12, 32, 128)
#elif defined(__aarch64__)
#define KERNEL_SETS(S)                                                                          \
  S(scalar, CPU_ANY, scalar, scalar, 4, 16, scalar, 4, 16, 0)                                   \
  S(neon, CPU_NEON, neon, neon, 6, 16, neon, 2, 16, 0)                                          \
  S(neondot, CPU_NEON | CPU_NEON_DOTPROD, neon, neon, 6, 16, neondot, 6, 16, 0)                 \
  S(neoni8mm, CPU_NEON | CPU_NEON_I8MM, neon, neon, 6, 16, neoni8mm, 6, 16, 0)
#else
#define KERNEL_SETS(S) S(scalar, CPU_ANY, scalar, scalar, 4, 16, scalar, 4, 16, 0)
#endif

/* type, kernel: everything a set holds beside its two GEMMs */
#define KERNELS(K)                                                                  \
  K(widen_fn, widen_f16)                                                            \
  K(widen_fn, widen_bf16)                                                           \
  K(narrow_fn, narrow_f16)                                                          \
  K(max_size_fn, max_size)                                                          \
  K(quantize_row_fn, quantize_row)                                                  \
  K(quantize_row_16_fn, quantize_row_16)                                            \
  K(dequantize_block_fn, dequantize_block)                                          \
  K(dequantize_rows_fn, dequantize_rows)                                            \
  K(pack_panel_s8_fn, pack_panel_s8)                                                \
  K(quantization_error_fn, quantization_error)                                      \
  K(hadamard_fn, hadamard)                                                          \
  K(transpose_fn, transpose_16x16)                                                  \
  K(pack_queries_fn, pack_queries)                                                  \
  K(pack_keys_fn, pack_keys)                                                        \
  K(finish_queries_fn, finish_queries)                                              \
  K(softmax_row_fn, softmax_row)                                                    \
  K(probability_row_fn, probability_row)                                            \
  K(dscore_row_fn, dscore_row)                                                      \
  K(channel_sums_fn, channel_sums)                                                  \
  K(row_sums_fn, row_sums)                                                          \
  K(normalize_fn, normalize)                                                        \
  K(normalize_dx_fn, normalize_dx)                                                  \
  K(finish_tile_fn, finish_tile)                                                    \
  K(unary_fn, silu)         /* x·sigmoid(x) */                                      \
  K(unary_fn, gelu)         /* x·Φ(x) = x·(1 + erf(x/√2))/2 */                      \
  K(unary_fn, quick_gelu)   /* x·sigmoid(1.702·x) */                                \
  K(binary_fn, silu_dx)     /* b·d silu(a)/da */                                    \
  K(binary_fn, gelu_dx)     /* b·d gelu(a)/da */                                    \
  K(binary_fn, quick_gelu_dx)                                                       \
  K(binary_fn, geglu)       /* a·gelu(b) */

struct kernel_set {
  const char *name;
  uint32_t needs, gemm_rows, gemm_columns, s8_rows, s8_columns;
  uint8_t s8_zero, value_bytes;   /* of int8 attention's values */
  gemm_f32_fn *gemm_f32;
  gemm_s8_fn *gemm_s8;
  softmax_panel_fn *softmax_panel;
  weigh_values_fn *weigh_values;
#define FIELD(type, kernel) type *kernel;
  KERNELS(FIELD)
#undef FIELD
};

size_t kernel_set_count(void);
const struct kernel_set *kernel_set_at(size_t index);

/* The names of the KERNELS list, in its order; NULL behind its end. */
const char *_Nullable kernel_name_at(size_t index);

#define DECLARE_scalar(type, kernel) type kernel##_scalar;
#define DECLARE_sse41(type, kernel) type kernel##_sse41;
#define DECLARE_avx2(type, kernel) type kernel##_avx2;
#define DECLARE_avx512(type, kernel) type kernel##_avx512;
#define DECLARE_neon(type, kernel) type kernel##_neon;
#define DECLARE_SET(name, needs, isa, f32, rows, columns, s8, s8_rows, s8_columns, zero) \
  gemm_f32_fn gemm_f32_##rows##x##columns##_##f32;                                       \
  gemm_s8_fn gemm_s8_##s8_rows##x##s8_columns##c4_##s8;                                  \
  softmax_panel_fn softmax_panel_##s8; weigh_values_fn weigh_values_##s8; KERNELS(DECLARE_##isa)
KERNEL_SETS(DECLARE_SET)
#undef DECLARE_SET

/* -- SHA-256: its instructions come and go with none of the sets above --------------------------- */

/* state = the compression function of FIPS 180-4 over `blocks` blocks of 64 bytes; 8 words */
typedef void sha256_blocks_fn(size_t blocks, const uint8_t *x, uint32_t *state);

/* name, needs; the best comes last */
#if defined(__x86_64__)
#define SHA256_KERNELS(K) K(sha256_blocks_scalar, CPU_ANY) K(sha256_blocks_shani, CPU_SHA)
#elif defined(__aarch64__)
#define SHA256_KERNELS(K) K(sha256_blocks_scalar, CPU_ANY) K(sha256_blocks_neonsha2, CPU_SHA)
#else
#define SHA256_KERNELS(K) K(sha256_blocks_scalar, CPU_ANY)
#endif

struct sha256_kernel {
  const char *name;
  uint32_t needs;
  sha256_blocks_fn *blocks;
};
size_t sha256_kernel_count(void);
const struct sha256_kernel *sha256_kernel_at(size_t index);

#define DECLARE_SHA256(kernel, needs) sha256_blocks_fn kernel;
SHA256_KERNELS(DECLARE_SHA256)
#undef DECLARE_SHA256

/* -- plain C, bound by memory, the same for every CPU ------------------------------------------- */

binary_fn add_rows, multiply_rows;
void scale_row(size_t n, const float *x, float by, float *y);
/* y = max(x, 0) */
void relu_row(size_t n, const float *x, float *y);
/* dx = dy where x > 0, otherwise 0; dx may be x or dy */
void relu_dx_row(size_t n, const float *x, const float *dy, float *dx);
/* y = by·x + plus */
void affine_row(size_t n, const float *x, float by, float plus, float *y);
/* y = limit·tanh(x/limit) */
void soft_limit_row(size_t n, const float *x, float limit, float *y);
/* dx = dy·(1 − (y/limit)²), the gradient of soft_limit_row by its result y; dx may be y or dy */
void soft_limit_dx_row(size_t n, const float *y, float limit, const float *dy, float *dx);
/* y = a + by·b */
void add_scaled_row(size_t n, const float *a, float by, const float *b, float *y);

/* Packs `rows` ≤ 16 consecutive rows of a weight [N][channels][taps] into one panel of taps·channels
 * groups of 16 columns (missing rows become zero columns); elements of 2 or 4 bytes.               */
void pack_panel_16bit(size_t rows, size_t channels, size_t taps, const uint16_t *x, uint16_t *y);
void pack_panel_32bit(size_t rows, size_t channels, size_t taps, const uint32_t *x, uint32_t *y);

/* Bytes that quantize_row wrote with zero 0, as 16 bits each */
void widen_s8(size_t n, const uint8_t *x, int16_t *y);

/* sums[0] += Σ x²,  sums[1] += Σ (x − y)², in double: value j in lane j mod 8, lanes in one order */
void difference_energies(size_t n, const float *x, const float *y, double *sums);

/* Σ (by·x)² in the lanes and the tree of quantization_error_fn */
double energy(size_t n, const float *x, float by);

#pragma clang assume_nonnull end
