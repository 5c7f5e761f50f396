package gate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"edgelens"
)

// Write draws shots into the folders Open and Closed of a folder, which it makes, and calls progress after each. Files of the same
// names are replaced; their numbers are those of the shots, from 1. The error wraps edgelens.ErrInvalid for a shot that
// cannot be drawn, edgelens.ErrCanceled, or is that of the file system.
func Write(ctx context.Context, folder string, shots []Shot, progress func(done, all int, what string)) error {
	for _, label := range []string{Open, Closed} {
		if err := os.MkdirAll(filepath.Join(folder, label), 0o755); err != nil {
			return err
		}
	}
	for i, s := range shots {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("draw images of gates: %w: %w", edgelens.ErrCanceled, err)
		}
		data, err := s.JPEG()
		if err != nil {
			return err
		}
		name := filepath.Join(s.Label(), fmt.Sprintf("site-%d-%s-%04d.jpg", s.Site, s.Condition, i+1))
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return err
		}
		progress(i+1, len(shots), name)
	}
	return nil
}
