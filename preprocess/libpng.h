// Go's interface to libpng.c.

#ifndef EDGELENS_LIBPNG_H
#define EDGELENS_LIBPNG_H

#include <stddef.h>

// edgelens_decode_png decodes a PNG into width * height * channels bytes, as BGR (3
// channels, without transparency) or as BGRA (4), eight bits
// each. It returns 1 if every row is written, else 0, and then pixels may be
// unwritten and must not be used. With any_checksum a wrong checksum of the deflated
// data is no error. It keeps nothing between calls and writes nothing to standard
// error.
int edgelens_decode_png(const unsigned char *data, size_t size, unsigned char *pixels, int width, int height, int channels,
                        int any_checksum);

#endif
