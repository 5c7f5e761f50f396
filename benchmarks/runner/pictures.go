package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"edgelens/benchmarks/suite"
	"edgelens/internal/imagefile"
)

// readPictures reads files and folders of them; without any, it draws some.
func readPictures(paths []string) ([]suite.Picture, error) {
	if len(paths) == 0 {
		return suite.MadePictures(), nil
	}
	var pictures []suite.Picture
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
			if slices.ContainsFunc(pictures, func(p suite.Picture) bool { return p.Name == name }) {
				return nil, fmt.Errorf("--images: two pictures are named %s; reports could not tell them apart", name)
			}
			pictures = append(pictures, suite.Picture{Name: name, Data: data})
		}
	}
	return pictures, nil
}
