//go:build race

package lenient_test

import "time"

// limit is how long 2 MB may take under the race detector.
const limit = time.Second
