//go:build !linux

package sandbox

import (
	"errors"
)

// Main does nothing: helpers need Linux.
func Main() {}

func newHelpers(Config, Parts) (helpers, error) {
	return nil, errors.New("they need Linux")
}
