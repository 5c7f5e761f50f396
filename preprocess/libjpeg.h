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

// edgelens_part is a part of an image in pixels, not empty.
typedef struct {
	int x, y, width, height;
} edgelens_part;

// edgelens_decode_jpeg decodes a part of a JPEG into part.width * part.height * channels
// bytes, as BGR (3 channels) or as CMYK as it is stored (4). The JPEG is decoded at a size
// of that many eighths of the one in its header, which must be width and height, and the
// part must be inside of that. All of the file is read, so that damage outside of the
// part is noticed. It returns a result, keeps nothing between calls and writes nothing to
// standard error.
int edgelens_decode_jpeg(const unsigned char *data, size_t size, int eighths, int width, int height, int channels,
                         edgelens_part part, unsigned char *pixels);

#endif
