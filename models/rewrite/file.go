package rewrite

import (
	"errors"
	"fmt"
	"os"

	"edgelens/internal/atomicfile"
	"edgelens/models"
	"edgelens/models/tflitefile"
)

// File reads the model in the file in, changes it with change, and writes it to the
// file out if check accepts the written file; a nil check accepts every one. It fails if
// out exists and replace is false. An error of check is returned as it is.
func File(in, out string, replace bool, change func(*tflitefile.Model) (*tflitefile.Model, error), check func(temporary string) error) error {
	if _, err := os.Lstat(out); !replace && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s exists; --force replaces it", out)
	}
	m, err := models.ReadFile(in)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	changed, err := change(m)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	data, err := changed.Write()
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if check == nil {
		return atomicfile.Write(out, data, 0o644)
	}
	return atomicfile.WriteChecked(out, data, 0o644, check)
}
