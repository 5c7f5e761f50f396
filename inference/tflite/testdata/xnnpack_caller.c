// Makes a delegate of 3 threads with both flags as xnnpack.go does, and prints the word
// that holds the flags before.
#include <stdio.h>

#include "../xnnpack.h"

int main(void) {
	int word = edgelens_xnnpack_flags_word(3);
	printf("word=%d\n", word);
	fflush(stdout);
	if (word <= 0) return 0;
	TfLiteDelegate* delegate = edgelens_xnnpack_create(word, 3, 3);
	if (delegate) TfLiteXNNPackDelegateDelete(delegate);
	return delegate == NULL;
}
