package models

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"edgelens"
	"edgelens/models/tflitefile"
)

// The bounds of the files that TFLite Metadata packs into a model.
const (
	maxMetadataPacked    = 16 << 20 // bytes of one entry as packed
	maxMetadataNameBytes = 200      // of an entry
)

// MetadataLabels returns the labels that TFLite Metadata packed into a model
// file (https://ai.google.dev/edge/litert/models/metadata: the
// associated files are a zip appended to the FlatBuffer). They are in the file
// with "label" in its name or its folder's, the shortest such name where there are several
// (the longer ones are translations), or else in one that is called classes.txt
// or similar: another text, such as a README, may have as many lines as the model
// has classes. No labels and no error mean that the model has none. The error wraps
// edgelens.ErrModel.
func MetadataLabels(model []byte) ([]string, error) {
	names, _, err := metadataLabels(model, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: read the labels inside the model: %w", edgelens.ErrModel, err)
	}
	return names, nil
}

// metadataLabels first checks the files that the metadata itself names.
func metadataLabels(model []byte, named []string) ([]string, labelFormat, error) {
	files, err := tflitefile.OpenFiles(model)
	if err != nil {
		return nil, labelFormat{}, err
	}
	entry := labelsEntry(files)
	for _, name := range named {
		if i := slices.IndexFunc(files, func(f *zip.File) bool { return f.Name == name }); i >= 0 {
			entry = files[i]
			break
		}
	}
	if entry == nil {
		return nil, labelFormat{}, nil
	}
	if entry.CompressedSize64 > maxMetadataPacked {
		return nil, labelFormat{}, fmt.Errorf("%.100q in the model is larger than any label file needs to be", entry.Name)
	}
	r, err := entry.Open()
	if err != nil {
		return nil, labelFormat{}, fmt.Errorf("unpack %.100q: %w", entry.Name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxLabelsBytes+1))
	if err != nil {
		return nil, labelFormat{}, fmt.Errorf("unpack %.100q: %w", entry.Name, err)
	}
	names, form, err := parseLabels(data)
	if err != nil {
		return nil, form, fmt.Errorf("%.100q in the model: %w", entry.Name, err)
	}
	return names, form, nil
}

func labelsEntry(files []*zip.File) *zip.File {
	var labels, classes *zip.File
	for _, f := range files {
		name := strings.ToLower(path.Base(f.Name))
		if f.FileInfo().IsDir() || len(name) > maxMetadataNameBytes {
			continue
		}
		if strings.Contains(strings.ToLower(f.Name), "label") && (labels == nil || len(f.Name) < len(labels.Name)) {
			labels = f
		}
		if classes == nil && path.Ext(name) == ".txt" && slices.Contains(listMembers, strings.TrimSuffix(name, ".txt")) {
			classes = f
		}
	}
	return cmp.Or(labels, classes)
}
