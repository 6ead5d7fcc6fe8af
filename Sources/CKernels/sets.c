#include "ckernels.h"

#define SET_scalar_FIELD(type, kernel) .kernel = kernel##_scalar,
#define SET_sse41_FIELD(type, kernel) .kernel = kernel##_sse41,
#define SET_avx2_FIELD(type, kernel) .kernel = kernel##_avx2,
#define SET_avx512_FIELD(type, kernel) .kernel = kernel##_avx512,
#define SET_neon_FIELD(type, kernel) .kernel = kernel##_neon,

/* Most sets multiply values in pairs of 16 bits. */
enum {
  VALUE_BYTES_scalar = 1, VALUE_BYTES_sse41 = 2, VALUE_BYTES_avx2 = 2, VALUE_BYTES_avxvnni = 2,
  VALUE_BYTES_evexvnni = 2, VALUE_BYTES_avx512 = 2, VALUE_BYTES_avx512vnni = 1, VALUE_BYTES_neon = 2,
  VALUE_BYTES_neondot = 1, VALUE_BYTES_neoni8mm = 1
};

#define SET(set, cpu, isa, f32, rows, columns, s8, rows8, columns8, zero)             \
  {.name = #set, .needs = cpu, .gemm_rows = rows, .gemm_columns = columns,            \
   .s8_rows = rows8, .s8_columns = columns8, .s8_zero = zero,                         \
   .gemm_f32 = gemm_f32_##rows##x##columns##_##f32,                                   \
   .gemm_s8 = gemm_s8_##rows8##x##columns8##c4_##s8, .value_bytes = VALUE_BYTES_##s8, \
   .softmax_panel = softmax_panel_##s8, .weigh_values = weigh_values_##s8,            \
   KERNELS(SET_##isa##_FIELD)},

#define CHECK(set, cpu, isa, f32, rows, columns, s8, rows8, columns8, zero)          \
  _Static_assert(TILE_ROWS % rows == 0 && TILE_ROWS % rows8 == 0, #set ": tile rows"); \
  _Static_assert(columns % PANEL_COLUMNS == 0 && columns <= TILE_COLUMNS &&            \
                     columns8 % PANEL_COLUMNS == 0 && columns8 <= TILE_COLUMNS,        \
                 #set ": tile columns");
KERNEL_SETS(CHECK)

static const struct kernel_set sets[] = {KERNEL_SETS(SET)};

size_t kernel_set_count(void) { return sizeof sets / sizeof sets[0]; }
const struct kernel_set *kernel_set_at(size_t index) { return &sets[index]; }

#define NAME(type, kernel) #kernel,
static const char *const names[] = {KERNELS(NAME)};
const char *kernel_name_at(size_t index) {
  return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}
