package models

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"edgelens"
)

// The bounds of the zip that TFLite Metadata appends to a model.
const (
	maxMetadataEntries   = 1000
	maxMetadataDirectory = 1 << 20  // bytes read to find the entries
	maxMetadataPacked    = 16 << 20 // bytes read of one entry
	maxMetadataNameBytes = 200      // of an entry
)

// MetadataLabels returns the labels that TFLite Metadata packed into a model
// file of size bytes (https://ai.google.dev/edge/litert/models/metadata: the
// associated files are a zip appended to the FlatBuffer). They are in the file
// with "label" in its name, the shortest such name where there are several
// (the longer ones are translations), or else in the only .txt file. No labels
// and no error mean that the model carries none. The error wraps
// edgelens.ErrModel.
func MetadataLabels(model io.ReaderAt, size int64) ([]string, error) {
	names, err := metadataLabels(model, size)
	if err != nil {
		return nil, fmt.Errorf("%w: read the labels inside the model: %w", edgelens.ErrModel, err)
	}
	return names, nil
}

func metadataLabels(model io.ReaderAt, size int64) ([]string, error) {
	// Without this a crafted directory of gigabytes would be held in memory.
	bounded := &boundedReaderAt{from: model, left: maxMetadataDirectory}
	archive, err := zip.NewReader(bounded, size)
	switch {
	case errors.Is(err, zip.ErrFormat):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the zip in the model: %w", err)
	case len(archive.File) > maxMetadataEntries:
		return nil, fmt.Errorf("the zip in the model has %d files; at most %d are read", len(archive.File), maxMetadataEntries)
	}
	entry := labelsEntry(archive.File)
	if entry == nil {
		return nil, nil
	}
	bounded.left = maxMetadataPacked
	r, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("unpack %.100q: %w", entry.Name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxLabelsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("unpack %.100q: %w", entry.Name, err)
	}
	names, err := parseLabels(data)
	if err != nil {
		return nil, fmt.Errorf("%.100q in the model: %w", entry.Name, err)
	}
	return names, nil
}

func labelsEntry(files []*zip.File) *zip.File {
	var labels *zip.File
	var texts []*zip.File
	for _, f := range files {
		name := strings.ToLower(path.Base(f.Name))
		if f.FileInfo().IsDir() || len(name) > maxMetadataNameBytes {
			continue
		}
		if path.Ext(name) == ".txt" {
			texts = append(texts, f)
		}
		if strings.Contains(name, "label") && (labels == nil || len(f.Name) < len(labels.Name)) {
			labels = f
		}
	}
	if labels == nil && len(texts) == 1 {
		return texts[0]
	}
	return labels
}

var errTooMuch = errors.New("it is larger than any label file needs to be")

// boundedReaderAt gives at most left bytes, then errTooMuch.
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
