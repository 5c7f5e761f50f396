// Makes a delegate of 3 threads with both flags as xnnpack.go does, with shared weights
// where the library takes them. Prints the word that holds the flags before, and whether
// it does.
#include <stdio.h>

#include "../weights.h"

int main(void) {
	int word = edgelens_xnnpack_flags_word(3), shares = edgelens_weights_can_share(word);
	printf("word=%d shares=%d\n", word, shares);
	fflush(stdout);
	if (word <= 0) return 0;
	edgelens_weights* weights = shares ? edgelens_weights_create() : NULL;
	TfLiteDelegate* delegate = edgelens_xnnpack_create(word, 3, 3, weights);
	if (delegate) TfLiteXNNPackDelegateDelete(delegate);
	if (weights) edgelens_weights_free(weights);
	return delegate == NULL;
}
