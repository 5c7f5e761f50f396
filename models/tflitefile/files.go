package tflitefile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The bounds of the zip that TFLite Metadata appends to a model
// (https://ai.google.dev/edge/litert/models/metadata).
const (
	maxFiles          = 1000
	maxDirectoryBytes = 1 << 20 // read to find the files
)

// OpenFiles returns the files of the zip that may follow a model; nil if there is
// none. The error describes what is wrong with the zip. A damaged zip does
// not stop Read, since it is no part of the graph.
func OpenFiles(model []byte) ([]*zip.File, error) {
	r := bytes.NewReader(model)
	// Without this a crafted directory would be held in memory many times its
	// size.
	archive, err := zip.NewReader(&boundedReaderAt{from: r, left: maxDirectoryBytes}, r.Size())
	switch {
	case errors.Is(err, zip.ErrFormat):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the zip in the model: %w", err)
	case len(archive.File) > maxFiles:
		return nil, fmt.Errorf("the zip in the model has %d files; at most %d are read", len(archive.File), maxFiles)
	}
	if archive, err = zip.NewReader(r, r.Size()); err != nil { // without the bound
		return nil, fmt.Errorf("the zip in the model: %w", err)
	}
	return archive.File, nil
}

func packedFiles(model []byte) []*zip.File {
	files, err := OpenFiles(model)
	if err != nil {
		return nil
	}
	return files
}

var errTooMuch = errors.New("its directory is larger than any label file needs")

// boundedReaderAt returns at most left bytes, then errTooMuch.
type boundedReaderAt struct {
	from io.ReaderAt
	left int64
}

func (b *boundedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errTooMuch
	}
	return b.from.ReadAt(p, off)
}

// appendFiles appends a zip with the files as they are packed. Files may
// overlap in a crafted zip, so the size of the output is limited.
func appendFiles(model []byte, files []*zip.File) ([]byte, error) {
	if len(files) == 0 {
		return model, nil
	}
	out := bytes.NewBuffer(model)
	z := zip.NewWriter(out)
	z.SetOffset(int64(len(model)))
	for _, f := range files {
		if f.CompressedSize64 > uint64(MaxBytes-out.Len()) {
			return nil, fmt.Errorf("the packed file %.100q makes the model larger than %d bytes", f.Name, MaxBytes)
		}
		if err := z.Copy(f); err != nil {
			return nil, fmt.Errorf("copy the packed file %.100q: %w", f.Name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack the files: %w", err)
	}
	return out.Bytes(), nil
}
