/* Packing of 16- and 32-bit weights into panels: every value is moved as it is. */
#include "ckernels.h"

#define PACK_PANEL(type, name)                                                                \
  void name(size_t rows, size_t channels, size_t taps, const type *x, type *y) {              \
    for (size_t t = 0; t < taps; t++)                                                         \
      for (size_t c = 0; c < channels; c++, y += 16) {                                        \
        const type *from = x + c * taps + t;                                                  \
        for (size_t j = 0; j < rows; j++) y[j] = from[j * channels * taps];                   \
        for (size_t j = rows; j < 16; j++) y[j] = 0;                                          \
      }                                                                                       \
  }

PACK_PANEL(uint16_t, pack_panel_16bit)
PACK_PANEL(uint32_t, pack_panel_32bit)
