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

enum {
	EDGELENS_XNNPACK_UNKNOWN = 0, // the layout is none of those above
	EDGELENS_XNNPACK_ABSENT = -1, // there is no XNNPACK in the library
};

// edgelens_xnnpack_create makes a delegate with its flags at that word, or returns NULL.
static TfLiteDelegate* edgelens_xnnpack_create(int word, int32_t threads, uint32_t flags) {
	edgelens_xnnpack_options options;
	memset(&options, 0, sizeof options);
	// The function is as old as the delegate, but in 2.9 it returns in a register.
	if (TfLiteXNNPackDelegateGetFlags && TfLiteXNNPackDelegateOptionsDefault) options = TfLiteXNNPackDelegateOptionsDefault();
	options.word[0] = (uint32_t)threads;
	options.word[word] = flags;
	return TfLiteXNNPackDelegateCreate(&options);
}

// edgelens_xnnpack_has reports whether a delegate whose options hold flags at that word
// has these of mask.
static int edgelens_xnnpack_has(int word, uint32_t flags, uint32_t mask) {
	TfLiteDelegate* delegate = edgelens_xnnpack_create(word, 1, flags);
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
