//go:build cgo

#include "libpng.h"
#include "messages.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

typedef struct {
	const unsigned char *data;
	size_t left;
	png_uint_32 height;
	int interlaced;
} source;

// is_whole reports whether every row has been written: libpng counts a row, or a
// pass over all of them, once it has.
static int is_whole(png_structp png, const source *in) {
	if (in->interlaced)
		return png_get_current_pass_number(png) >= 7;
	return in->height > 0 && png_get_current_row_number(png) >= in->height;
}

// on_read returns the next bytes. After the last row libpng would inflate and discard
// all remaining data; here it ends instead.
static void on_read(png_structp png, png_bytep into, png_size_t length) {
	source *in = png_get_io_ptr(png);
	if (length > in->left || is_whole(png, in))
		png_longjmp(png, 1); // no message: it is the usual end
	memcpy(into, in->data, length);
	in->data += length;
	in->left -= length;
}

static void on_error(png_structp png, png_const_charp message) {
	(void)message;
	edgelens_count_message();
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
	(void)png;
	(void)message;
	edgelens_count_message();
}

// as_bytes converts each channel to eight bits, and gray and palettes to BGR.
static void as_bytes(png_structp png, png_infop info, int channels) {
	png_set_expand(png); // palettes, fewer than eight bits, and tRNS to alpha
	png_set_strip_16(png);
	png_set_gray_to_rgb(png);
	png_set_bgr(png);
	if (channels == 3)
		png_set_strip_alpha(png);
	png_set_interlace_handling(png);
	png_read_update_info(png, info);
}

// target is the destination of the pixels.
typedef struct {
	unsigned char *pixels;
	int width, height, channels;
} target;

// read_image writes every row, or does not return.
static void read_image(png_structp png, png_infop info, source *in, const target *out) {
	png_read_info(png, info);
	if (png_get_image_width(png, info) != (png_uint_32)out->width || png_get_image_height(png, info) != (png_uint_32)out->height)
		png_error(png, "another size");
	as_bytes(png, info, out->channels);
	size_t stride = (size_t)out->width * out->channels;
	if (png_get_rowbytes(png, info) != stride)
		png_error(png, "other channels");
	in->height = out->height;
	in->interlaced = png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;
	for (int pass = 0; pass < (in->interlaced ? 7 : 1); pass++)
		for (int y = 0; y < out->height; y++)
			png_read_row(png, out->pixels + y * stride, NULL);
}

int edgelens_decode_png(const unsigned char *data, size_t size, unsigned char *pixels, int width, int height, int channels,
                        int any_checksum) {
	source in = {data, size, 0, 0};
	target out = {pixels, width, height, channels};
	volatile int whole = 0;
	png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
	png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
	if (info == NULL) {
		png_destroy_read_struct(&png, NULL, NULL);
		return 0;
	}
	if (setjmp(png_jmpbuf(png)) == 0) {
		png_set_read_fn(png, &in, on_read);
		png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE); // checked before
		if (any_checksum)
			png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
		read_image(png, info, &in, &out);
		whole = 1;
	} else {
		whole = is_whole(png, &in);
	}
	png_destroy_read_struct(&png, &info, NULL);
	return whole;
}
