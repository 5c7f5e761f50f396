// Go's interface to libjpeg.c.

#ifndef EDGELENS_LIBJPEG_H
#define EDGELENS_LIBJPEG_H

#include <stddef.h>

// The results of edgelens_decode_jpeg.
enum {
	EDGELENS_JPEG_OK,      // every pixel is written, without warnings
	EDGELENS_JPEG_DAMAGED, // every pixel is written; where data was wrong or missing, libjpeg has filled the gaps
	EDGELENS_JPEG_FAILED,  // pixels may be unwritten and must not be used
};

// edgelens_decode_jpeg decodes a JPEG into width * height * channels bytes, as BGR
// (3 channels) or as CMYK as it is stored (4), at a size of that many eighths of the one
// in its header, which must match width and height. It returns a result, keeps
// nothing between calls and writes nothing to standard error.
int edgelens_decode_jpeg(const unsigned char *data, size_t size, int eighths, unsigned char *pixels, int width, int height,
                         int channels);

#endif
