package modeltest

import (
	"archive/zip"
	"bytes"
	"strings"
)

// withLabels appends labels.txt to a model as TFLite Metadata does
// (https://ai.google.dev/edge/litert/models/metadata); nil labels change
// nothing.
func withLabels(model []byte, labels []string) []byte {
	if labels == nil {
		return model
	}
	return WithFiles(model, map[string]string{"labels.txt": strings.Join(labels, "\n") + "\n"}, "labels.txt")
}

// WithFiles appends a zip with the named files, in the order of names, to a
// model.
func WithFiles(model []byte, contents map[string]string, names ...string) []byte {
	out := bytes.NewBuffer(bytes.Clone(model))
	z := zip.NewWriter(out)
	z.SetOffset(int64(len(model)))
	for _, name := range names {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if contents[name] == "" {
			h.Method = zip.Store // thousands of compressors take seconds
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(contents[name]))
		}
		if err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
