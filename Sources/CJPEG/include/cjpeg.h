/* JPEG files through libturbojpeg, which is looked for when the first one is met: nothing is needed to build. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CJPEG_MESSAGE_BYTES = 200 };

typedef enum {
  CJPEG_WHOLE,   /* every pixel is decoded */
  CJPEG_WARNED,  /* as far as the file allows: damaged or cut off */
  CJPEG_REFUSED, /* nothing is decoded */
} cjpeg_outcome;

/* Whether the library is there, with all that is needed of it. */
bool cjpeg_is_available(void);

/* Whether that is because it is not installed; otherwise the system refused the memory for it. */
bool cjpeg_is_missing(void);

/* TurboJPEG's generation, 2 or 3, and the file that it was loaded from; NULL where the system does not say. Only where
 * it is available. */
int cjpeg_generation(void);
const char *cjpeg_path(void);

/* Decodes `count` bytes of a file whose header states `width`·`height` pixels into height·width·channels bytes,
 * channels 1 (files of one component) or 3 (RGB). Progressive files of more than 500 scans are refused.
 * `message` (CJPEG_MESSAGE_BYTES) has the library's first complaint, or its last where it gave up. */
cjpeg_outcome cjpeg_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, size_t channels,
                           uint8_t *pixels, char *message);

/* Encodes strips of one picture, each as a file of its own: baseline, with the same tables for all of one quality.
 * NULL: out of memory, or no library. */
typedef struct cjpeg_writer cjpeg_writer;
/* At most width·height pixels a strip. `quality` 1 to 100; `halves_color`: one sample of colour for 2·2 pixels. */
cjpeg_writer *cjpeg_writer_new(uint32_t width, uint32_t height, int quality, bool halves_color);
void cjpeg_writer_free(cjpeg_writer *writer);
/* height·width·3 bytes RGB in; the file lies in the writer's memory until the next strip. NULL: see the message. */
const uint8_t *cjpeg_encode(cjpeg_writer *writer, const uint8_t *pixels, uint32_t height, size_t *count);
const char *cjpeg_writer_message(const cjpeg_writer *writer);
/* What a writer holds: its output and the rows of the encoder. */
size_t cjpeg_writer_bytes(uint32_t width, uint32_t height);
