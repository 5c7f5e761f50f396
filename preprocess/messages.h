// A counter of what decoders complain about.

#ifndef EDGELENS_MESSAGES_H
#define EDGELENS_MESSAGES_H

// edgelens_count_message counts a message of a decoder, which is written nowhere. It may be
// called by several threads at a time.
void edgelens_count_message(void);

// edgelens_messages returns how many were counted in this process.
unsigned long long edgelens_messages(void);

#endif
