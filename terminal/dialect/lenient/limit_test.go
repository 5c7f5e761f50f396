//go:build !race

package lenient_test

import "time"

// limit is how long 2 MB may take.
const limit = 50 * time.Millisecond
