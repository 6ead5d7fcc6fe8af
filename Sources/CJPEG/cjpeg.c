#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif

#include "cjpeg.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
#define LIBRARY "libturbojpeg.0.dylib"
#else
#define LIBRARY "libturbojpeg.so.0"
#endif

/* TurboJPEG's flat interface as of version 2.0, declared here so that its headers are not needed. */
typedef void *tj_handle;
enum { TJPF_RGB = 0, TJPF_GRAY = 6, TJERR_WARNING = 0, TJSAMP_444 = 0, TJSAMP_420 = 2 };
/* The accurate transform gives the same bytes on every machine. */
enum { TJFLAG_NOREALLOC = 1024, TJFLAG_ACCURATEDCT = 4096, TJFLAG_LIMITSCANS = 32768 };

static struct {
  tj_handle (*init)(void);
  int (*header)(tj_handle, const unsigned char *, unsigned long, int *width, int *height, int *subsampling,
                int *colorspace);
  int (*decompress)(tj_handle, const unsigned char *, unsigned long, unsigned char *pixels, int width, int pitch,
                    int height, int format, int flags);
  char *(*error)(tj_handle);
  int (*error_code)(tj_handle);
  int (*destroy)(tj_handle);
  tj_handle (*init_compress)(void);
  int (*compress)(tj_handle, const unsigned char *pixels, int width, int pitch, int height, int format,
                  unsigned char **bytes, unsigned long *count, int subsampling, int quality, int flags);
  bool is_complete, is_missing, is_third;
} tj;

/* ISO C has no cast from an object's address to a function's. */
static bool find(void *library, const char *name, void *function) {
  return (*(void **)function = dlsym(library, name)) != NULL;
}

static void look(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  /* What else can go wrong is that there is no memory for it. */
  const char *why = library ? NULL : dlerror();
  tj.is_complete = library && find(library, "tjInitDecompress", &tj.init) &&
                   find(library, "tjDecompressHeader3", &tj.header) &&
                   find(library, "tjDecompress2", &tj.decompress) && find(library, "tjGetErrorStr2", &tj.error) &&
                   find(library, "tjGetErrorCode", &tj.error_code) && find(library, "tjDestroy", &tj.destroy) &&
                   find(library, "tjInitCompress", &tj.init_compress) &&
                   find(library, "tjCompress2", &tj.compress);
  void *third;
  tj.is_third = tj.is_complete && find(library, "tj3Init", &third);
  bool is_refused = why && (strstr(why, "failed to map") || strstr(why, "annot allocate"));
  tj.is_missing = !tj.is_complete && !is_refused;
}

bool cjpeg_is_available(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, look);
  return tj.is_complete;
}

bool cjpeg_is_missing(void) { return !cjpeg_is_available() && tj.is_missing; }

int cjpeg_generation(void) { return tj.is_third ? 3 : 2; }

const char *cjpeg_path(void) {
  Dl_info place;
  void *function;
  memcpy(&function, &tj.init, sizeof function);
  return function && dladdr(function, &place) ? place.dli_fname : NULL;
}

cjpeg_outcome cjpeg_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, size_t channels,
                           uint8_t *pixels, char *message) {
  snprintf(message, CJPEG_MESSAGE_BYTES, "out of memory");
  tj_handle handle = cjpeg_is_available() ? tj.init() : NULL;
  if (!handle) return CJPEG_REFUSED;
  cjpeg_outcome outcome = CJPEG_WHOLE;
  int w = 0, h = 0, subsampling, colorspace;
  /* It fails for subsampling that has no name, which decoding does not need; decoding to another size than the
   * file's would scale. */
  int status = tj.header(handle, bytes, count, &w, &h, &subsampling, &colorspace);
  if (w != (int)width || h != (int)height) {
    snprintf(message, CJPEG_MESSAGE_BYTES, "%s", status ? tj.error(handle) : "it has two sizes");
    outcome = CJPEG_REFUSED;
  } else if (tj.decompress(handle, bytes, count, pixels, w, (int)(width * channels), h,
                           channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_LIMITSCANS)) {
    snprintf(message, CJPEG_MESSAGE_BYTES, "%s", tj.error(handle));
    outcome = tj.error_code(handle) == TJERR_WARNING ? CJPEG_WARNED : CJPEG_REFUSED;
  }
  tj.destroy(handle);
  return outcome;
}

struct cjpeg_writer {
  tj_handle handle;
  unsigned char *bytes;
  size_t capacity;
  uint32_t width;
  int quality, subsampling;
};

/* A block of 64 samples takes at most 64·(16 + 10) bits and its share of escapes; the tables less than 2 kB. */
static size_t most_bytes(uint32_t width, uint32_t height) {
  return ((size_t)width + 31) / 16 * 16 * ((height + 31) / 16 * 16) * 6 + 4096;
}

size_t cjpeg_writer_bytes(uint32_t width, uint32_t height) {
  /* Of the encoder: rows of three components before and after its transform. */
  return most_bytes(width, height) + 64 * ((size_t)width + 64) + (128 << 10);
}

cjpeg_writer *cjpeg_writer_new(uint32_t width, uint32_t height, int quality, bool halves_color) {
  cjpeg_writer *writer = calloc(1, sizeof *writer);
  if (!writer) return NULL;
  writer->width = width;
  writer->quality = quality;
  writer->subsampling = halves_color ? TJSAMP_420 : TJSAMP_444;
  writer->capacity = most_bytes(width, height);
  writer->bytes = malloc(writer->capacity);
  writer->handle = writer->bytes && cjpeg_is_available() ? tj.init_compress() : NULL;
  if (writer->handle) return writer;
  cjpeg_writer_free(writer);
  return NULL;
}

void cjpeg_writer_free(cjpeg_writer *writer) {
  if (!writer) return;
  if (writer->handle) tj.destroy(writer->handle);
  free(writer->bytes);
  free(writer);
}

const uint8_t *cjpeg_encode(cjpeg_writer *writer, const uint8_t *pixels, uint32_t height, size_t *count) {
  unsigned long size = writer->capacity;
  if (tj.compress(writer->handle, pixels, (int)writer->width, 0, (int)height, TJPF_RGB, &writer->bytes, &size,
                  writer->subsampling, writer->quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT))
    return NULL;
  *count = size;
  return writer->bytes;
}

const char *cjpeg_writer_message(const cjpeg_writer *writer) { return tj.error(writer->handle); }
