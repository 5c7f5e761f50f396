// Uses a cache of weights as XNNPACK does, and ends with the line of the first check that
// fails.
#include <stdio.h>
#include <sys/resource.h>

#include "../weights.h"

#define CHECK(c) \
	do { \
		if (!(c)) { \
			printf("line %d: %s\n", __LINE__, #c); \
			return 1; \
		} \
	} while (0)

// insert packs weights of one byte and returns where they are.
static unsigned char* insert(edgelens_weights* w, unsigned char byte, size_t size) {
	const edgelens_weights_provider* p = &w->provider;
	unsigned char* room = p->reserve_space(p->context, size);
	if (!room) return NULL;
	memset(room, byte, size);
	return p->offset_to_addr(p->context, p->look_up_or_insert(p->context, NULL, room, size));
}

int main(void) {
	edgelens_weights* w = edgelens_weights_create();
	CHECK(w && w->provider.is_finalized(w->provider.context));
	CHECK(w->provider.look_up(w->provider.context, NULL) == SIZE_MAX);

	// The first interpreter: two operators share weights, none move as others come.
	unsigned char* first = insert(w, 1, 64);
	CHECK(first && (uintptr_t)first % EDGELENS_WEIGHTS_ALIGN == 0);
	unsigned char* large = insert(w, 2, 5 << 20);
	CHECK(large && large != first && insert(w, 1, 64) == first);
	for (int i = 0; i < 200; i++) CHECK(insert(w, 3, 64 * (size_t)(i + 1)));
	CHECK(insert(w, 1, 128) != first); // another size
	CHECK(first[0] == 1 && first[63] == 1 && large[0] == 2 && large[(5 << 20) - 1] == 2);
	CHECK(edgelens_weights_built(w) == 203 && !w->room);
	const size_t bytes = w->bytes;

	// A further one finds all.
	CHECK(insert(w, 1, 64) == first && insert(w, 2, 5 << 20) == large);
	CHECK(edgelens_weights_built(w) == 0 && w->bytes == bytes && !w->room);

	// One that is packed otherwise does not.
	CHECK(insert(w, 9, 64) != first);
	CHECK(edgelens_weights_built(w) == 1);

	// Without memory, a build fails, and a later one need not. No room is XNNPACK's own error.
	struct rlimit none = {0, RLIM_INFINITY}, before;
	CHECK(getrlimit(RLIMIT_AS, &before) == 0);
	void* room = w->provider.reserve_space(w->provider.context, 64 << 20);
	CHECK(room);
	memset(room, 7, 64 << 20);
	CHECK(setrlimit(RLIMIT_AS, &none) == 0);
	CHECK(!w->provider.reserve_space(w->provider.context, 128 << 20));
	CHECK(setrlimit(RLIMIT_AS, &before) == 0);
	room = w->provider.reserve_space(w->provider.context, 64 << 20);
	CHECK(room);
	CHECK(setrlimit(RLIMIT_AS, &none) == 0);
	w->provider.look_up_or_insert(w->provider.context, NULL, room, 64 << 20);
	CHECK(setrlimit(RLIMIT_AS, &before) == 0);
	CHECK(edgelens_weights_built(w) == -1);
	CHECK(insert(w, 1, 64) == first && edgelens_weights_built(w) == 0);

	edgelens_weights_free(w);
	puts("ok");
	return 0;
}
