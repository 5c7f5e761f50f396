//go:build cgo

#include "messages.h"

static unsigned long long count;

void edgelens_count_message(void) { __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED); }

unsigned long long edgelens_messages(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }
