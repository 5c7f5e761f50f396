// Package imagefile finds and reads image files for commands. Its functions are safe for use by many goroutines.
package imagefile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"edgelens"
)

// maxBytes is more than any image needs.
const maxBytes = 1 << 30

// List returns path, or, if it is a folder, the images in it.
func List(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		switch strings.ToLower(filepath.Ext(entry.Name())) {
		case ".jpg", ".jpeg", ".png", ".webp", ".bmp":
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	if files == nil {
		return nil, fmt.Errorf("there is no .jpg, .png, .webp or .bmp in %s", path)
	}
	return files, nil
}

// ListAll is List for several paths; "-" stands for itself, and a file that does not exist is left to its reader.
func ListAll(paths []string) (files []string, err error) {
	for _, path := range paths {
		if info, err := os.Stat(path); path == "-" || err != nil || !info.IsDir() {
			files = append(files, path)
			continue
		}
		inside, err := List(path)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
	}
	return files, nil
}

// Read reads a file, or stdin where file is "-". Errors: edgelens.ErrTooLarge, and ErrNoImage for an empty one.
func Read(stdin io.Reader, file string) ([]byte, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() // read only
		in = f
	}
	image, err := io.ReadAll(io.LimitReader(in, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(image) == 0 {
		return nil, fmt.Errorf("%w: the file is empty", edgelens.ErrNoImage)
	}
	if len(image) > maxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", edgelens.ErrTooLarge, maxBytes)
	}
	return image, nil
}
