#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

extern const uint32_t sha256_constants[64];

/* sha256rnds2 does two rounds on the state as (A, B, E, F) and (C, D, G, H). */
TARGET void sha256_blocks_shani(size_t blocks, const uint8_t *x, uint32_t *state) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
  __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);          /* C D A B */
  __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);   /* E F G H */
  __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
  for (; blocks > 0; blocks--, x += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      __m128i *next = &w[i % 4];
      if (i < 4) {
        *next = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(x + 16 * i)), big_endian);
      } else {   /* w[t − 16] is *next itself, w[t − 7] lies across the last two */
        __m128i last = w[(i + 3) % 4];
        __m128i seventh = _mm_alignr_epi8(last, w[(i + 2) % 4], 4);
        *next = _mm_add_epi32(_mm_sha256msg1_epu32(*next, w[(i + 1) % 4]), seventh);
        *next = _mm_sha256msg2_epu32(*next, last);
      }
      __m128i words = _mm_add_epi32(*next, _mm_loadu_si128((const __m128i *)(sha256_constants + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  low = _mm_shuffle_epi32(abef, 0x1b);    /* F E B A, from the top */
  high = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

#endif
