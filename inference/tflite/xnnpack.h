// XNNPACK's delegate, whose options differ from version to version of TensorFlow Lite.
// xnnpack.go and a test with libraries of each layout (testdata/xnnpack_library.c) include it.
#ifndef EDGELENS_XNNPACK_H_
#define EDGELENS_XNNPACK_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tensorflow/lite/c/c_api.h>

// The options, in any layout: words of 4 bytes, of which the first is the number of
// threads, and zeros. Three layouts are known, by the word that holds the flags:
//
//	1 in 2.9, whose options end there and which has no TfLiteXNNPackDelegateGetFlags
//	1 in 2.17, followed by pointers
//	2 in 2.20 and LiteRT, after the flags of XNNPACK's runtime
//
// From 2.17 on, the first pointer after the flags is that of the weights cache.
//
// Returned by value, a structure of this size comes by a pointer that the caller gives, as
// the library's own does, which is shorter.
typedef struct {
	uint32_t word[64];
} edgelens_xnnpack_options;

// A library may lack these.
extern TfLiteDelegate* TfLiteXNNPackDelegateCreate(const void* options) __attribute__((weak));
extern void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate) __attribute__((weak));
extern int TfLiteXNNPackDelegateGetFlags(TfLiteDelegate* delegate) __attribute__((weak));
extern edgelens_xnnpack_options TfLiteXNNPackDelegateOptionsDefault(void) __attribute__((weak));

// The library's own weights cache. It may lack that, too.
extern void* TfLiteXNNPackDelegateWeightsCacheCreate(void) __attribute__((weak));
extern void TfLiteXNNPackDelegateWeightsCacheDelete(void* cache) __attribute__((weak));

enum {
	EDGELENS_XNNPACK_UNKNOWN = 0, // the layout is none of those above
	EDGELENS_XNNPACK_ABSENT = -1, // there is no XNNPACK in the library
};

// edgelens_xnnpack_defaults returns the library's own options.
static edgelens_xnnpack_options edgelens_xnnpack_defaults(void) {
	edgelens_xnnpack_options options;
	memset(&options, 0, sizeof options);
	// The function is as old as the delegate, but in 2.9 it returns in a register.
	if (TfLiteXNNPackDelegateGetFlags && TfLiteXNNPackDelegateOptionsDefault) options = TfLiteXNNPackDelegateOptionsDefault();
	return options;
}

// edgelens_xnnpack_cache_of returns where options with their flags at that word hold the
// weights cache.
static void* edgelens_xnnpack_cache_of(edgelens_xnnpack_options* options, int word) {
	const size_t align = sizeof(void*), after = sizeof options->word[0] * (size_t)(word + 1);
	return (char*)options + (after + align - 1) / align * align;
}

// edgelens_xnnpack_takes_cache reports whether the library has weights caches, and options
// with their flags at that word have a place for one, which is empty by default.
static int edgelens_xnnpack_takes_cache(int word) {
	if (word <= 0 || !TfLiteXNNPackDelegateGetFlags || !TfLiteXNNPackDelegateOptionsDefault) return 0;
	if (!TfLiteXNNPackDelegateWeightsCacheCreate || !TfLiteXNNPackDelegateWeightsCacheDelete) return 0;
	edgelens_xnnpack_options options = edgelens_xnnpack_defaults();
	void* cache = NULL;
	memcpy(&cache, edgelens_xnnpack_cache_of(&options, word), sizeof cache);
	return cache == NULL;
}

// edgelens_xnnpack_create makes a delegate with its flags at that word, or returns NULL.
// The cache may be NULL, and must be where edgelens_xnnpack_takes_cache is 0.
static TfLiteDelegate* edgelens_xnnpack_create(int word, int32_t threads, uint32_t flags, void* cache) {
	edgelens_xnnpack_options options = edgelens_xnnpack_defaults();
	options.word[0] = (uint32_t)threads;
	options.word[word] = flags;
	if (cache) memcpy(edgelens_xnnpack_cache_of(&options, word), &cache, sizeof cache);
	return TfLiteXNNPackDelegateCreate(&options);
}

// edgelens_xnnpack_has reports whether a delegate whose options hold flags at that word
// has these of mask.
static int edgelens_xnnpack_has(int word, uint32_t flags, uint32_t mask) {
	TfLiteDelegate* delegate = edgelens_xnnpack_create(word, 1, flags, NULL);
	if (!delegate) return 0;
	uint32_t found = (uint32_t)TfLiteXNNPackDelegateGetFlags(delegate);
	TfLiteXNNPackDelegateDelete(delegate);
	return (found & mask) == flags;
}

// edgelens_xnnpack_flags_word returns the word that holds the flags, by trying, or one of
// the values above. Word 1 comes first: in 2.17, word 2 begins a pointer, and in 2.20
// word 1 is not looked at before a graph is built. Set and cleared, because the library's
// own defaults may have the flags set elsewhere.
static int edgelens_xnnpack_flags_word(uint32_t mask) {
	if (!TfLiteXNNPackDelegateCreate || !TfLiteXNNPackDelegateDelete) return EDGELENS_XNNPACK_ABSENT;
	if (!TfLiteXNNPackDelegateGetFlags) return 1;
	for (int word = 1; word <= 2; word++) {
		if (edgelens_xnnpack_has(word, mask, mask) && edgelens_xnnpack_has(word, 0, mask)) return word;
	}
	return EDGELENS_XNNPACK_UNKNOWN;
}

#endif
