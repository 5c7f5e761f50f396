package chart

import (
	"fmt"
	"os"
	"path/filepath"
)

// Write draws a chart into the files name.png and name.svg of a folder; it overwrites existing ones.
func Write(dir, name string, c Chart) error {
	for suffix, draw := range map[string]func(Chart) ([]byte, error){".png": PNG, ".svg": SVG} {
		data, err := draw(c)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+suffix), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("draw the plot of %s: %w", name, err)
		}
	}
	return nil
}
