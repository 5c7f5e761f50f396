package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"edgelens/benchmarks/suite"
	"edgelens/internal/imagefile"
)

// readImages reads files and folders of them; without any, it generates images.
func readImages(paths []string) ([]suite.Image, error) {
	if len(paths) == 0 {
		return suite.MadeImages(), nil
	}
	var images []suite.Image
	for _, path := range paths {
		files, err := imagefile.List(path)
		if err != nil {
			return nil, fmt.Errorf("--images: %w", err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("--images: %w", err)
			}
			name := filepath.Base(file)
			if slices.ContainsFunc(images, func(p suite.Image) bool { return p.Name == name }) {
				return nil, fmt.Errorf("--images: two images are named %s; names must be unique in reports", name)
			}
			images = append(images, suite.Image{Name: name, Data: data})
		}
	}
	return images, nil
}
