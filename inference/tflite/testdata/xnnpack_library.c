// The functions of XNNPACK's delegate with options laid out as LAYOUT says (209, 217 or
// 220), or in a way that nobody knows (999). It prints the options of each delegate that
// is made.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
	int32_t num_threads;
#if LAYOUT == 220
	uint32_t runtime_flags;
#elif LAYOUT == 999
	uint32_t more[4];
#endif
	uint32_t flags;
#if LAYOUT != 209
	void* weights_cache;
	bool handle_variable_ops;
	const char* weight_cache_file_path;
#endif
#if LAYOUT == 220
	int weight_cache_file_descriptor;
	void* weight_cache_provider;
#endif
} options;

typedef struct {
	uint32_t flags;
} delegate;

options TfLiteXNNPackDelegateOptionsDefault(void) {
	return (options){
		.flags = DEFAULT_FLAGS,
#if LAYOUT == 220
		.weight_cache_file_descriptor = -1,
#endif
	};
}

delegate* TfLiteXNNPackDelegateCreate(const options* o) {
	printf("threads=%d flags=%u", o->num_threads, o->flags);
#if LAYOUT == 220
	printf(" runtime=%u descriptor=%d provider=%d", o->runtime_flags, o->weight_cache_file_descriptor, o->weight_cache_provider != NULL);
#endif
#if LAYOUT != 209
	printf(" cache=%d path=%d", o->weights_cache != NULL, o->weight_cache_file_path != NULL);
#endif
	puts("");
	delegate* d = malloc(sizeof *d);
	d->flags = o->flags;
	return d;
}

#if LAYOUT != 209
int TfLiteXNNPackDelegateGetFlags(delegate* d) { return (int)d->flags; }
#endif

// Its own cache of weights: a context and six functions, of which CACHE
// is the last; none without CACHE.
#ifdef CACHE
static void function(void) {}

typedef struct {
	void* context;
	void (*functions[6])(void);
} cache;

cache* TfLiteXNNPackDelegateWeightsCacheCreate(void) {
	cache* c = calloc(1, sizeof *c);
	*c = (cache){c, {function, function, function, function, function, CACHE}};
	return c;
}

void TfLiteXNNPackDelegateWeightsCacheDelete(cache* c) { free(c); }
#endif

void TfLiteXNNPackDelegateDelete(delegate* d) { free(d); }
