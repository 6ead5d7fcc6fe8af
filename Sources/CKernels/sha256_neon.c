#include "ckernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

extern const uint32_t sha256_constants[64];

__attribute__((target("sha2"))) void sha256_blocks_neonsha2(size_t blocks, const uint8_t *x,
                                                            uint32_t *state) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks > 0; blocks--, x += 64) {
    const uint32x4_t abcd_before = abcd, efgh_before = efgh;
    uint32x4_t w[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      uint32x4_t *next = &w[i % 4];
      if (i < 4) {
        *next = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(x + 16 * i)));
      } else {
        uint32x4_t first = vsha256su0q_u32(*next, w[(i + 1) % 4]);
        *next = vsha256su1q_u32(first, w[(i + 2) % 4], w[(i + 3) % 4]);
      }
      uint32x4_t words = vaddq_u32(*next, vld1q_u32(sha256_constants + 4 * i)), before = abcd;
      abcd = vsha256hq_u32(abcd, efgh, words);
      efgh = vsha256h2q_u32(efgh, before, words);
    }
    abcd = vaddq_u32(abcd, abcd_before);
    efgh = vaddq_u32(efgh, efgh_before);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

#endif
