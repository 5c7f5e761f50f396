package models

import (
	"fmt"
	"os"

	"edgelens"
	"edgelens/models/tflitefile"
)

// ReadFile reads a .tflite file without trusting it. Errors: edgelens.ErrModel.
func ReadFile(path string) (*tflitefile.Model, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	case !info.Mode().IsRegular(): // opening a pipe would block
		return nil, fmt.Errorf("%w: it is not a regular file", edgelens.ErrModel)
	case info.Size() > MaxLoadedBytes:
		return nil, fmt.Errorf("%w: its file has %d bytes; models of up to %d can be used", edgelens.ErrModel, info.Size(), MaxLoadedBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	return tflitefile.Read(data)
}
