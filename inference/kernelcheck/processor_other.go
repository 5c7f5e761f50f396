//go:build !linux

package kernelcheck

import "errors"

// Processor is known on Linux only.
func Processor() (string, error) { return "", errors.New("it is read on Linux only") }
