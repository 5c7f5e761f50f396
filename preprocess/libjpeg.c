//go:build cgo

// libjpeg-turbo's own interface rather than TurboJPEG's: only the error manager
// distinguishes a warning from a fatal error that follows one (tjGetErrorCode of version
// 2.1 calls both a warning, and then nothing may have been written).

#include "libjpeg.h"
#include "messages.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct {
	struct jpeg_error_mgr base;
	jmp_buf failed;
	int damaged;
} error_manager;

static void on_error(j_common_ptr common) {
	edgelens_count_message();
	longjmp(((error_manager *)common->err)->failed, 1);
}

static void no_output(j_common_ptr common) { (void)common; }

// harmless reports whether a warning leaves every pixel right. Warnings that are not known
// to be harmless mean damage.
static int harmless(const struct jpeg_error_mgr *err) {
	switch (err->msg_code) {
	case JWRN_JFIF_MAJOR:     // a revision of JFIF that does not exist
	case JWRN_NOT_SEQUENTIAL: // parameters of a sequential scan that have no meaning there
	case JWRN_JPEG_EOF:       // no end marker; where data is missing, JWRN_HIT_MARKER follows
		return 1;
	case JWRN_EXTRANEOUS_DATA: { // bytes before a marker: padding, but for those before a restart
		int marker = err->msg_parm.i[1];
		return marker < JPEG_RST0 || marker > JPEG_RST0 + 7;
	}
	}
	return 0;
}

static void on_message(j_common_ptr common, int level) {
	error_manager *manager = (error_manager *)common->err;
	if (level < 0)
		edgelens_count_message();
	if (level < 0 && !harmless(&manager->base))
		manager->damaged = 1;
}

// margin returns how many MCUs around a part are decoded as well: pixels at the edges of
// what libjpeg decodes are made of fewer neighbors than others, by upsampling of colors
// (one pixel) and, in a progressive JPEG, by smoothing of blocks (two blocks).
static unsigned margin(j_decompress_ptr decoder) { return decoder->progressive_mode ? 3 : 1; }

// is_usual reports whether the colors are sampled as encoders do: the first component in full, the others at the same
// resolution or at a lower one. With other factors libjpeg-turbo's functions for parts may never return, or leave what
// was in memory before in a pixel (found by fuzzing version 2.1.5).
static int is_usual(j_decompress_ptr decoder) {
	const jpeg_component_info *all = decoder->comp_info;
	if (all[0].h_samp_factor > 2 || all[0].v_samp_factor > 2)
		return 0;
	for (int i = 1; i < decoder->num_components; i++) {
		int as_first = i == 3 && all[i].h_samp_factor == all[0].h_samp_factor && all[i].v_samp_factor == all[0].v_samp_factor; // black
		if (!as_first && (all[i].h_samp_factor != 1 || all[i].v_samp_factor != 1))
			return 0;
	}
	return 1;
}

// read_row reads a row.
static void read_row(j_decompress_ptr decoder, JSAMPROW row) {
	if (jpeg_read_scanlines(decoder, &row, 1) != 1)
		decoder->err->error_exit((j_common_ptr)decoder);
}

// read_part reads all rows, and decodes those around a part, or all where the colors are sampled in another way.
static void read_part(j_decompress_ptr decoder, edgelens_part part, unsigned char *pixels) {
	unsigned scale = decoder->scale_num, channels = decoder->output_components, right = part.x + part.width;
	int usual = is_usual(decoder);
	unsigned columns = margin(decoder) * decoder->max_h_samp_factor * scale, rows = margin(decoder) * decoder->max_v_samp_factor * scale;
	JDIMENSION left = (unsigned)part.x > columns ? part.x - columns : 0;
	JDIMENSION width = (decoder->output_width - right > columns ? right + columns : decoder->output_width) - left;
	if (!usual) {
		left = 0;
		width = decoder->output_width;
	}
	if (width < decoder->output_width)
		jpeg_crop_scanline(decoder, &left, &width); // moves left to the border of an MCU
	// One byte off alignment: aligned rows are written past the caches (jdcolext-avx2.asm), and copying them would wait
	// for memory.
	JSAMPROW row = (JSAMPROW)decoder->mem->alloc_large((j_common_ptr)decoder, JPOOL_IMAGE, (size_t)decoder->output_width * channels + 1) + 1;
	if (usual && (unsigned)part.y > rows)
		jpeg_skip_scanlines(decoder, part.y - rows);
	while (decoder->output_scanline < (unsigned)part.y)
		read_row(decoder, row);
	size_t before = (size_t)(part.x - left) * channels, length = (size_t)part.width * channels;
	int whole = decoder->output_width == (unsigned)part.width;
	for (int i = 0; i < part.height; i++, pixels += length) {
		read_row(decoder, whole ? pixels : row);
		if (!whole)
			memcpy(pixels, row + before, length);
	}
	if (usual && decoder->output_scanline < decoder->output_height) {
		// Skipping to the end would not read what is skipped.
		jpeg_skip_scanlines(decoder, decoder->output_height - 1 - decoder->output_scanline);
		read_row(decoder, row);
	}
	while (decoder->output_scanline < decoder->output_height)
		read_row(decoder, row);
}

int edgelens_decode_jpeg(const unsigned char *data, size_t size, int eighths, int width, int height, int channels,
                         edgelens_part part, unsigned char *pixels) {
	struct jpeg_decompress_struct decoder;
	error_manager manager;
	volatile int verdict = EDGELENS_JPEG_FAILED;

	decoder.err = jpeg_std_error(&manager.base);
	manager.base.error_exit = on_error;
	manager.base.emit_message = on_message;
	manager.base.output_message = no_output;
	manager.damaged = 0;
	if (setjmp(manager.failed)) {
		jpeg_destroy_decompress(&decoder);
		return EDGELENS_JPEG_FAILED;
	}
	// A decoder of its own for each image: a reused one decodes a file
	// without tables with those of the previous image.
	jpeg_create_decompress(&decoder);
	jpeg_mem_src(&decoder, data, size);
	jpeg_read_header(&decoder, TRUE);
	decoder.out_color_space = channels == 4 ? JCS_CMYK : JCS_EXT_BGR;
	decoder.dct_method = JDCT_ISLOW;
	decoder.scale_num = eighths;
	decoder.scale_denom = 8;
	jpeg_start_decompress(&decoder);
	if ((int)decoder.output_width == width && (int)decoder.output_height == height && decoder.output_components == channels) {
		read_part(&decoder, part, pixels);
		jpeg_finish_decompress(&decoder);
		verdict = manager.damaged ? EDGELENS_JPEG_DAMAGED : EDGELENS_JPEG_OK;
	}
	jpeg_destroy_decompress(&decoder);
	return verdict;
}
