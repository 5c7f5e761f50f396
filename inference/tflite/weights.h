// A weights cache for XNNPACK: the weights of one model as XNNPACK has packed them, for
// all its interpreters. weights.go and a test (testdata/weights_caller.c) include it.
#ifndef EDGELENS_WEIGHTS_H_
#define EDGELENS_WEIGHTS_H_

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // for dladdr
#endif
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xnnpack.h"

// edgelens_packed are the weights of one operator, or of several that have the same.
typedef struct edgelens_packed {
	struct edgelens_packed* next;
	size_t size;
	void* data;
} edgelens_packed;

// edgelens_weights_provider is what XNNPACK (xnn_weights_cache_provider in xnnpack.h) and
// the weights_cache of its delegate's options take. The functions get the context.
typedef struct {
	void* context;
	size_t (*look_up)(void* context, const void* key);
	void* (*reserve_space)(void* context, size_t size);
	size_t (*look_up_or_insert)(void* context, const void* key, void* data, size_t size);
	bool (*is_finalized)(void* context);
	void* (*offset_to_addr)(void* context, size_t offset);
	int (*delete_cache)(void* context);
} edgelens_weights_provider;

// edgelens_weights is not safe for concurrent builds of interpreters. While they run,
// XNNPACK only reads what packed points to, which never moves.
typedef struct {
	edgelens_weights_provider provider;
	edgelens_packed* packed;
	size_t bytes;    // of packed
	int added;       // since edgelens_weights_built
	int failed;      // since edgelens_weights_built: no memory
	void* room;      // where XNNPACK packs, before it is known whether that is new
	size_t room_size;
} edgelens_weights;

enum {
	EDGELENS_WEIGHTS_ALIGN = 64,            // of packed weights: XNN_ALLOCATION_ALIGNMENT
	EDGELENS_WEIGHTS_FUNCTIONS = 6,         // of the provider
	EDGELENS_WEIGHTS_ROOM = 1 << 20,        // the least room
};

// edgelens_weights_look_up never finds weights by where they come from: only content tells.
static size_t edgelens_weights_look_up(void* context, const void* key) {
	(void)context, (void)key;
	return SIZE_MAX; // XNN_CACHE_NOT_FOUND
}

static void edgelens_weights_no_room(edgelens_weights* w) {
	if (w->room) munmap(w->room, w->room_size);
	w->room = NULL;
	w->room_size = 0;
}

static void* edgelens_weights_reserve(void* context, size_t size) {
	edgelens_weights* w = context;
	if (size <= w->room_size) return w->room;
	edgelens_weights_no_room(w);
	if (size < EDGELENS_WEIGHTS_ROOM) size = EDGELENS_WEIGHTS_ROOM;
	// Mapped, so that it goes back to the system when it is not needed.
	void* room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED) return NULL;
	w->room = room;
	w->room_size = size;
	return room;
}

// edgelens_weights_look_up_or_insert returns an offset, here the address. XNNPACK does not
// look whether that is XNN_CACHE_NOT_FOUND, so a failure is remembered and the interpreter
// must not run.
static size_t edgelens_weights_look_up_or_insert(void* context, const void* key, void* data, size_t size) {
	edgelens_weights* w = context;
	(void)key;
	for (edgelens_packed* p = w->packed; p; p = p->next) {
		if (p->size == size && memcmp(p->data, data, size) == 0) return (size_t)p->data;
	}
	edgelens_packed* p = malloc(sizeof *p);
	void* copy = NULL;
	if (!p || posix_memalign(&copy, EDGELENS_WEIGHTS_ALIGN, size) != 0) {
		free(p);
		w->failed = 1;
		return (size_t)data;
	}
	memcpy(copy, data, size);
	*p = (edgelens_packed){.next = w->packed, .size = size, .data = copy};
	w->packed = p;
	w->bytes += size;
	w->added++;
	return (size_t)copy;
}

static bool edgelens_weights_is_finalized(void* context) {
	(void)context;
	return true; // weights that are there do not move
}

static void* edgelens_weights_offset_to_addr(void* context, size_t offset) {
	(void)context;
	return (void*)offset;
}

static int edgelens_weights_delete(void* context) {
	(void)context; // never called: edgelens_weights_free does that
	return 0;
}

// edgelens_weights_create returns NULL without memory.
static edgelens_weights* edgelens_weights_create(void) {
	edgelens_weights* w = calloc(1, sizeof *w);
	if (!w) return NULL;
	w->provider = (edgelens_weights_provider){
		.context = w,
		.look_up = edgelens_weights_look_up,
		.reserve_space = edgelens_weights_reserve,
		.look_up_or_insert = edgelens_weights_look_up_or_insert,
		.is_finalized = edgelens_weights_is_finalized,
		.offset_to_addr = edgelens_weights_offset_to_addr,
		.delete_cache = edgelens_weights_delete,
	};
	return w;
}

// edgelens_weights_built is called after each build. It returns how many weights that
// added, or -1 if it lacked memory.
static int edgelens_weights_built(edgelens_weights* w) {
	int added = w->failed ? -1 : w->added;
	w->added = w->failed = 0;
	edgelens_weights_no_room(w);
	return added;
}

static void edgelens_weights_free(edgelens_weights* w) {
	edgelens_weights_no_room(w);
	while (w->packed) {
		edgelens_packed* p = w->packed;
		w->packed = p->next;
		free(p->data);
		free(p);
	}
	free(w);
}

// edgelens_weights_can_share reports whether the library's delegate with flags at that
// word takes a provider as above. Its own cache is one: it begins with a context and as
// many functions of the library.
static int edgelens_weights_can_share(int word) {
	if (!edgelens_xnnpack_takes_cache(word)) return 0;
	void** own = TfLiteXNNPackDelegateWeightsCacheCreate();
	if (!own) return 0;
	Dl_info library, function;
	int same = own[0] != NULL && dladdr((void*)TfLiteXNNPackDelegateCreate, &library) != 0;
	for (int i = 1; same && i <= EDGELENS_WEIGHTS_FUNCTIONS; i++) {
		same = own[i] != NULL && dladdr(own[i], &function) != 0 && function.dli_fbase == library.dli_fbase;
	}
	TfLiteXNNPackDelegateWeightsCacheDelete(own);
	return same;
}

#endif
