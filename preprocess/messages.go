//go:build cgo

package preprocess

// #include "messages.h"
import "C"

// Messages returns how many warnings and errors libjpeg-turbo and libpng have had in this
// process. They are counted and written nowhere: one file can cause a million.
func Messages() uint64 { return uint64(C.edgelens_messages()) }
