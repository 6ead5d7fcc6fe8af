#include "cpng.h"

#include <fcntl.h>
#include <png.h>
#include <string.h>

/* Must not return: libpng goes on as if nothing had happened. */
static void stop(png_structp png, png_const_charp text) {
  snprintf(png_get_error_ptr(png), CPNG_MESSAGE_BYTES, "%s", text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) { (void)png, (void)text; }

/* Asks libpng to turn whatever the file holds into 8-bit samples. */
static void normalize(png_structp png, size_t channels) {
  png_set_expand(png); /* palette → RGB, 1, 2, 4 bits → 8, tRNS → alpha */
  png_set_scale_16(png);
  if (channels >= 3) png_set_gray_to_rgb(png);
  if (channels == 4)
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
  else
    png_set_strip_alpha(png);
}

bool cpng_read(FILE *file, cpng_header *header, uint8_t *pixels, size_t channels, char *message) {
  snprintf(message, CPNG_MESSAGE_BYTES, "out of memory");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, stop, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return false;
  }
  png_init_io(png, file);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* the caller has its own limits */
  png_read_info(png, info);
  uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if (!pixels) {
    bool grey = (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) == 0;
    *header = (cpng_header){width, height, grey};
  } else {
    normalize(png, channels);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t stride = (size_t)width * channels;
    if (width != header->width || height != header->height || png_get_rowbytes(png, info) != stride)
      png_error(png, "the file changed while it was read");
    for (int pass = 0; pass < passes; pass++)
      for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + y * stride, NULL);
    png_read_end(png, NULL);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return true;
}

static bool is_ascii(const char *text) {
  while (*text && (unsigned char)*text < 128) text++;
  return !*text;
}

bool cpng_write(FILE *file, uint32_t width, uint32_t height, size_t channels, const uint8_t *pixels,
                const char *texts, size_t text_count, char *message) {
  snprintf(message, CPNG_MESSAGE_BYTES, "out of memory");
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, stop, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_init_io(png, file);
  png_set_IHDR(png, info, width, height, 8, channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  const char *key = texts;
  for (size_t i = 0; i < text_count; i++) {
    const char *value = key + strlen(key) + 1;
    png_text text = {.key = (char *)key, .text = (char *)value};
    text.compression = is_ascii(value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    png_set_text(png, info, &text, 1);
    key = value + strlen(value) + 1;
  }
  png_write_info(png, info);
  for (uint32_t y = 0; y < height; y++) {
    png_write_row(png, pixels + y * width * channels);
    // What is written must not pile up in the page cache, which counts under a memory limit.
    if (y % 64 == 63 && fflush(file) == 0) posix_fadvise(fileno(file), 0, 0, POSIX_FADV_DONTNEED);
  }
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return true;
}
