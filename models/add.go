package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"edgelens"
	"edgelens/internal/atomicfile"
)

// Addition is a model without a classifier, whose output its user wants to have as embeddings. A classifier needs no
// entry: it is used where its file and its labels are in the models folder.
type Addition struct {
	// File is the path of the .tflite file, in the models folder or outside of it.
	File string
	// Name is that of the model; "" for that of the file, without .tflite.
	Name string
	// Task is edgelens.TaskEmbedding.
	Task string
}

// Add copies a model file into a models folder, where it is not in there yet, and enters it in the folder's manifest.yaml
// with its digest, so that another file of its name is not taken for it. It checks first that the model can do the task.
// The rest of the manifest stays as it is. The error wraps edgelens.ErrModel, or edgelens.ErrConflict where the name is
// taken.
func Add(dir string, a Addition) (Entry, error) {
	e, data, err := a.entry()
	if err != nil {
		return Entry{}, fmt.Errorf("add the model %s: %w", a.File, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Entry{}, fmt.Errorf("add the model %s: %w: %w", a.File, edgelens.ErrModel, err)
	}
	manifest, err := manifestWith(dir, e)
	if err == nil {
		err = copyInto(filepath.Join(dir, e.File.Name), data)
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, ManifestFile), manifest, 0o644)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("add the model %s: %w", a.File, err)
	}
	return e, nil
}

// entry reads and checks the file.
func (a Addition) entry() (Entry, []byte, error) {
	if a.Task != edgelens.TaskEmbedding {
		return Entry{}, nil, fmt.Errorf("%w: models are added for the task %s, not %.100q; put a classifier into the models folder, with its labels beside it", edgelens.ErrInvalid, edgelens.TaskEmbedding, a.Task)
	}
	read, err := ReadFile(a.File)
	if err != nil {
		return Entry{}, nil, err
	}
	data, err := os.ReadFile(a.File)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	sum := sha256.Sum256(data)
	e := Entry{
		Name: a.Name, Task: a.Task, TaskGiven: true,
		File: File{Name: filepath.Base(a.File), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))},
	}
	if e.Name == "" {
		e.Name = stem(e.File.Name)
	}
	model := Model{Path: a.File, Task: e.Task, TaskGiven: true}
	if err := model.checkTensors(read.Facts()); err != nil {
		return Entry{}, nil, err
	}
	return e, data, nil
}

// manifestWith returns the text of the folder's manifest with one more entry.
func manifestWith(dir string, e Entry) ([]byte, error) {
	before, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	own, err := ParseManifest(before)
	if err != nil {
		return nil, err
	}
	merged, err := Builtin().With(own)
	if err != nil {
		return nil, err
	}
	if merged.indexOf(e.Name) >= 0 {
		return nil, fmt.Errorf("%w: there is a model %s already; give this one another name", edgelens.ErrConflict, e.Name)
	}
	after, err := appendEntry(before, e)
	if err != nil {
		return nil, err
	}
	own, err = ParseManifest(after)
	if err == nil {
		_, err = Builtin().With(own)
	}
	return after, err
}

// appendEntry returns the text of a manifest with one more entry, and its comments.
func appendEntry(manifest []byte, e Entry) ([]byte, error) {
	entry := &yaml.Node{Kind: yaml.MappingNode}
	for _, field := range []struct{ key, value any }{{"name", e.Name}, {"file", e.File.Name}, {"sha256", e.File.SHA256}, {"size", e.File.Size}, {"task", e.Task}} {
		var key, value yaml.Node
		if err := errors.Join(key.Encode(field.key), value.Encode(field.value)); err != nil {
			return nil, err
		}
		entry.Content = append(entry.Content, &key, &value)
	}
	var document yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(manifest)).Decode(&document)
	comments := []byte(nil)
	switch {
	case errors.Is(err, io.EOF): // no document: nothing but comments, which no node has
		comments = manifest
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	case err != nil:
		return nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	list := listIn(resolve(document.Content[0]), "models")
	list.Content = append(list.Content, entry)
	text := bytes.NewBuffer(comments)
	encoder := yaml.NewEncoder(text)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&document), encoder.Close()); err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	return text.Bytes(), nil
}

// listIn returns the list of that key in a mapping, and adds it where there is none.
func listIn(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if value := resolve(mapping.Content[i+1]); mapping.Content[i].Value == key {
			if value.Kind != yaml.SequenceNode { // models: without any
				*value = yaml.Node{Kind: yaml.SequenceNode}
			}
			value.Style = 0 // a list in brackets would become one long line
			return value
		}
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, list)
	return list
}

// copyInto writes a model file, unless it is there already. A file of its name with other content is not replaced.
func copyInto(path string, data []byte) error {
	there, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(there, data):
		return nil
	case err == nil:
		return fmt.Errorf("%w: another file is %s already; rename this one", edgelens.ErrConflict, path)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	return atomicfile.Write(path, data, 0o644)
}
