// A fuzz target for the C code that decodes images in a helper: libjpeg.c and libpng.c of the package preprocess, and libwebp as OpenCV calls it, with
// libjpeg-turbo, libpng, zlib and libwebp below them. scripts/fuzz-decoders builds it with all of them instrumented.
//
// An image is decoded twice, with other content in all memory that it gets, the decoders' own included. What counts as decoded must be the same both
// times: a pixel that was not written, or that was made of what was in memory before, could show another client's image. And nothing may be written behind the
// pixels, which assembly code could do unnoticed by the sanitizer.

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <webp/decode.h>

#include "libjpeg.h"
#include "libpng.h"

// The limits keep an input fast: the service's own are larger, and checked before a decoder is called.
enum { MAX_PIXELS = 1 << 14, MAX_SCANS = 20, MAX_ALLOCATION = 64 << 20, BEHIND = 64, MARK = 0x5a };

// decoder decodes data into pixels, and returns 0 where they must not be used.
typedef int decoder(const uint8_t *data, size_t size, const void *options, uint8_t *pixels);

static void fail(const char *what) {
	fprintf(stderr, "decoders: %s\n", what);
	abort();
}

// fill is the content of new memory.
static int fill;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);

// __wrap_malloc and __wrap_calloc are what the decoders call (the linker's --wrap). As in a helper, there is no memory for what is too large, such as
// the tables that some WebPs of a hundred bytes ask for.
void *__wrap_malloc(size_t size) {
	void *memory = size <= MAX_ALLOCATION ? __real_malloc(size) : NULL;
	if (memory != NULL)
		memset(memory, fill, size);
	return memory;
}

void *__wrap_calloc(size_t count, size_t size) { return size == 0 || count <= MAX_ALLOCATION / size ? __real_calloc(count, size) : NULL; }

// decode_once decodes with that content of new memory. The caller frees the result.
static uint8_t *decode_once(decoder *decode, const uint8_t *data, size_t size, const void *options, size_t length, int content, int *decoded) {
	fill = content;
	uint8_t *pixels = malloc(length + BEHIND);
	if (pixels == NULL)
		fail("no memory");
	memset(pixels + length, MARK, BEHIND);
	*decoded = decode(data, size, options, pixels);
	for (size_t i = 0; i < BEHIND; i++)
		if (pixels[length + i] != MARK)
			fail("something was written behind the pixels");
	return pixels;
}

static void decode_twice(decoder *decode, const uint8_t *data, size_t size, const void *options, size_t length) {
	int first, second;
	uint8_t *a = decode_once(decode, data, size, options, length, 0x00, &first);
	uint8_t *b = decode_once(decode, data, size, options, length, 0xff, &second);
	if (first != second)
		fail("the second result is another one");
	if (first && memcmp(a, b, length) != 0)
		fail("a pixel of a decoded image is that of another one");
	free(a);
	free(b);
}

static uint32_t big_endian(const uint8_t *b) { return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]; }

// seed returns a number of the input, for what the service's settings and requests choose.
static uint32_t seed(const uint8_t *data, size_t size) {
	uint32_t sum = 2166136261u;
	for (size_t i = size > 64 ? size - 64 : 0; i < size; i++)
		sum = (sum ^ data[i]) * 16777619u;
	return sum;
}

// --- JPEG ------------------------------------------------------------------------------

typedef struct {
	int eighths, width, height, channels;
	edgelens_part part;
} jpeg_options;

typedef struct {
	struct jpeg_error_mgr base;
	jmp_buf failed;
} header_errors;

static void on_header_error(j_common_ptr common) { longjmp(((header_errors *)common->err)->failed, 1); }
static void on_header_message(j_common_ptr common, int level) { (void)common, (void)level; }

// read_jpeg_header reads the size, which the service's own code does in Go; 0 where it cannot.
static int read_jpeg_header(const uint8_t *data, size_t size, int *width, int *height, int *components) {
	struct jpeg_decompress_struct header;
	header_errors errors;
	header.err = jpeg_std_error(&errors.base);
	errors.base.error_exit = on_header_error;
	errors.base.emit_message = on_header_message;
	volatile int read = 0;
	if (setjmp(errors.failed) == 0) {
		jpeg_create_decompress(&header);
		jpeg_mem_src(&header, data, size);
		jpeg_read_header(&header, TRUE);
		*width = header.image_width;
		*height = header.image_height;
		*components = header.num_components;
		read = 1;
	}
	jpeg_destroy_decompress(&header);
	return read;
}

static int scans(const uint8_t *data, size_t size) {
	int count = 0;
	for (size_t i = 0; i + 1 < size; i++)
		count += data[i] == 0xff && data[i + 1] == 0xda;
	return count;
}

static int decode_jpeg(const uint8_t *data, size_t size, const void *options, uint8_t *pixels) {
	const jpeg_options *o = options;
	int verdict = edgelens_decode_jpeg(data, size, o->eighths, o->width, o->height, o->channels, o->part, pixels);
	return verdict == EDGELENS_JPEG_FAILED ? 0 : 1 + verdict;
}

static void fuzz_jpeg(const uint8_t *data, size_t size) {
	int width, height, components;
	if (scans(data, size) > MAX_SCANS || !read_jpeg_header(data, size, &width, &height, &components) || width < 1 || height < 1 || (int64_t)width * height > MAX_PIXELS)
		return;
	uint32_t chosen = seed(data, size);
	jpeg_options o = {.eighths = 8};
	switch (chosen % 4) { // the sizes that ReduceJPEG has, the whole one more often
	case 1: o.eighths = 4; break;
	case 2: o.eighths = 2; break;
	case 3: o.eighths = chosen % 8 == 3 ? 1 : 8; break;
	}
	o.width = (width * o.eighths + 7) / 8;
	o.height = (height * o.eighths + 7) / 8;
	o.channels = components == 4 ? 4 : 3;
	o.part = (edgelens_part){0, 0, o.width, o.height};
	if (chosen >> 8 & 1) {
		o.part.x = (int)((chosen >> 9) % (uint32_t)o.width);
		o.part.y = (int)((chosen >> 17) % (uint32_t)o.height);
		o.part.width = 1 + (int)((chosen >> 13) % (uint32_t)(o.width - o.part.x));
		o.part.height = 1 + (int)((chosen >> 21) % (uint32_t)(o.height - o.part.y));
	}
	decode_twice(decode_jpeg, data, size, &o, (size_t)o.part.width * o.part.height * o.channels);
}

// --- PNG -------------------------------------------------------------------------------

typedef struct {
	int width, height, channels, any_checksum;
} png_options;

static int decode_png(const uint8_t *data, size_t size, const void *options, uint8_t *pixels) {
	const png_options *o = options;
	return edgelens_decode_png(data, size, pixels, o->width, o->height, o->channels, o->any_checksum);
}

// has_transparency reports whether a chunk tRNS follows the header, as the service's own code finds it.
static int has_transparency(const uint8_t *data, size_t size) {
	for (size_t i = 33; i + 12 <= size;) {
		size_t length = big_endian(data + i);
		if (memcmp(data + i + 4, "tRNS", 4) == 0)
			return 1;
		if (length > size - i - 12)
			return 0;
		i += length + 12;
	}
	return 0;
}

static void fuzz_png(const uint8_t *data, size_t size) {
	if (size < 33)
		return;
	uint32_t width = big_endian(data + 16), height = big_endian(data + 20);
	if (width < 1 || height < 1 || (uint64_t)width * height > MAX_PIXELS)
		return;
	png_options o = {(int)width, (int)height, 3, (int)(seed(data, size) & 1)};
	if (data[25] & 4 || has_transparency(data, size))
		o.channels = 4;
	decode_twice(decode_png, data, size, &o, (size_t)width * height * o.channels);
}

// --- WebP ------------------------------------------------------------------------------

typedef struct {
	int width, height, channels;
} webp_options;

// As OpenCV's decoder does.
static int decode_webp(const uint8_t *data, size_t size, const void *options, uint8_t *pixels) {
	const webp_options *o = options;
	size_t length = (size_t)o->width * o->height * o->channels;
	if (o->channels == 4)
		return WebPDecodeBGRAInto(data, size, pixels, length, o->width * 4) != NULL;
	return WebPDecodeBGRInto(data, size, pixels, length, o->width * 3) != NULL;
}

static void fuzz_webp(const uint8_t *data, size_t size) {
	WebPBitstreamFeatures f;
	if (WebPGetFeatures(data, size, &f) != VP8_STATUS_OK || f.has_animation || f.width < 1 || f.height < 1 || (int64_t)f.width * f.height > MAX_PIXELS)
		return;
	webp_options o = {f.width, f.height, f.has_alpha ? 4 : 3};
	decode_twice(decode_webp, data, size, &o, (size_t)o.width * o.height * o.channels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size > 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
		fuzz_jpeg(data, size);
	else if (size > 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
		fuzz_png(data, size);
	else if (size > 12 && memcmp(data, "RIFF", 4) == 0)
		fuzz_webp(data, size);
	return 0;
}
