package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"edgelens"
)

// Registry lists the models of one folder: those of the manifest, every other
// .tflite file in it, and every folder in it (see folderModel). It reads the folder on each call, so a file that is
// added later is found; digests are computed once per file version. The manifest
// is read by Open and Refresh.
//
// A Registry is safe for concurrent use. The slices and pointers in its results
// are shared and must not be changed.
type Registry struct {
	dir string

	builtIn *Model // nil where there is none

	modelFiles  fileCache[modelFacts]
	labelsFiles fileCache[labelsFacts]

	mu sync.Mutex
	// listed is the manifest, which is replaced as a whole.
	listed *Manifest
	def    string
}

// Listed is one model of a Registry and its state.
type Listed struct {
	Model
	// State is edgelens.ModelMissing, ModelAvailable or ModelFailed. A missing
	// model has the manifest's digest and size, any other those of its file.
	State edgelens.ModelState
	// Problem is a sentence on why the model is missing or failed, and what to do.
	// It contains names of files, never of folders.
	Problem string
	// Default is true for the model of requests that name none.
	Default bool
	// Entry is nil for a file that is not in the manifest.
	Entry *Entry
}

// Open returns the registry of a models folder and of at most one built-in model, which
// is in no folder; a file of its name is listed as failed. The folder need not exist yet;
// all models are then missing. The error wraps edgelens.ErrModel: the folder is a file or
// cannot be read, its manifest.yaml has errors, its default names no model, or it has a
// model of the built-in one's name.
func Open(dir string, builtIn ...Model) (*Registry, error) {
	if _, err := os.ReadDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: open the models folder: %w", edgelens.ErrModel, err)
	}
	r := &Registry{dir: dir}
	for _, m := range builtIn {
		m.BuiltIn = true
		r.builtIn = &m
	}
	r.modelFiles.read = readModelFile
	r.labelsFiles.read = readLabelsFile
	manifest, err := r.readManifest()
	if err != nil {
		return nil, err
	}
	r.listed = &manifest
	if err := r.SetDefault(manifest.Default); err != nil {
		return nil, fmt.Errorf("%w: the manifest's default: %w", edgelens.ErrModel, err)
	}
	return r, nil
}

// readManifest reads the folder's manifest. The error wraps edgelens.ErrModel.
func (r *Registry) readManifest() (Manifest, error) {
	manifest, err := ReadManifest(r.dir)
	if err != nil {
		return Manifest{}, err
	}
	if r.builtIn != nil {
		if _, ok := manifest.Find(r.builtIn.Name); ok {
			return Manifest{}, fmt.Errorf("%w: the manifest has a model %s, which is the name of the built-in one; rename it", edgelens.ErrModel, r.builtIn.Name)
		}
	}
	return manifest, nil
}

// Refresh reads the manifest again, and returns its default, which becomes that of the Registry by SetDefault alone. With an
// error, which wraps edgelens.ErrModel, the former one stays.
func (r *Registry) Refresh() (manifestDefault string, err error) {
	manifest, err := r.readManifest()
	if err != nil {
		return "", fmt.Errorf("read the manifest again: %w", err)
	}
	r.mu.Lock()
	former := r.listed
	r.listed = &manifest
	r.mu.Unlock()
	present, err := r.find("")
	if err == nil {
		err = checkDefault(present)
	}
	if err != nil { // the default must not vanish
		r.mu.Lock()
		r.listed = former
		r.mu.Unlock()
		return "", fmt.Errorf("read the manifest again: %w: the default model is not in it as a classifier anymore; choose another one by the setting model, or enter it: %w", edgelens.ErrModel, err)
	}
	return manifest.Default, nil
}

// manifest returns the present manifest, which is not changed any more.
func (r *Registry) manifest() *Manifest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listed
}

// Dir returns the models folder.
func (r *Registry) Dir() string { return r.dir }

// List returns every model: the manifest's in its order, the built-in one, then
// the other files of the folder by name.
func (r *Registry) List() []Listed {
	def := r.Default()
	var list []Listed
	manifest := r.manifest()
	for i := range manifest.Models {
		list = append(list, r.fromManifest(&manifest.Models[i]))
	}
	if r.builtIn != nil {
		list = append(list, r.fromBuiltIn())
	}
	dropped, err := r.dropped()
	if err != nil {
		for i := range list {
			list[i].State, list[i].Problem = edgelens.ModelFailed, "the models folder cannot be read: "+err.Error()
		}
	}
	for _, file := range dropped {
		list = append(list, r.fromFile(file))
	}
	for i := range list {
		list[i].Default = list[i].Name == def
	}
	return list
}

// Get returns the model of that name, "" being the default one. A model of the
// manifest is also found by its file's name without ".tflite". The error wraps
// edgelens.ErrUnknownModel if there is no such model, edgelens.ErrNoModel if its
// file is missing, and edgelens.ErrModel if it cannot be used.
func (r *Registry) Get(name string) (Model, error) {
	listed, err := r.find(name)
	if err != nil {
		return Model{}, err
	}
	if listed.State == edgelens.ModelMissing {
		return Model{}, fmt.Errorf("%w: %s", edgelens.ErrNoModel, listed.Problem)
	}
	if listed.State != edgelens.ModelAvailable {
		return Model{}, fmt.Errorf("%w: %s", edgelens.ErrModel, listed.Problem)
	}
	return listed.Model, nil
}

// Look returns the model of that name, "" being the default one, whether or not
// it can be used, and reads no other file. The error wraps
// edgelens.ErrUnknownModel.
func (r *Registry) Look(name string) (Listed, error) {
	listed, err := r.find(name)
	listed.Default = err == nil && listed.Name == r.Default()
	return listed, err
}

// Entry returns the manifest's entry for the model of that name, "" being the
// default one, for a Puller to fetch. The error wraps edgelens.ErrUnknownModel.
func (r *Registry) Entry(name string) (Entry, error) {
	listed, err := r.find(name)
	if err != nil {
		return Entry{}, err
	}
	if listed.Entry == nil {
		return Entry{}, fmt.Errorf("%w in the manifest: %q is a file in the models folder; there is nothing to pull", edgelens.ErrUnknownModel, listed.Name)
	}
	return *listed.Entry, nil
}

// Default returns the name of the model of requests that name none.
func (r *Registry) Default() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.def
}

// SetDefault makes another model, which may still be missing, the default. The
// error wraps edgelens.ErrUnknownModel, or edgelens.ErrModel for one that is no classifier.
func (r *Registry) SetDefault(name string) error {
	if name == "" {
		return fmt.Errorf("%w: the default needs a name; known: %s", edgelens.ErrUnknownModel, r.known())
	}
	listed, err := r.find(name)
	if err != nil {
		return err
	}
	if err := checkDefault(listed); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.def = listed.Name
	return nil
}

// checkDefault returns an edgelens.ErrModel for a model that cannot answer requests for predictions.
func checkDefault(l Listed) error {
	if l.Task == edgelens.TaskClassification {
		return nil
	}
	return fmt.Errorf("%w: %s gives feature vectors (task %s) and no predictions, so it cannot be the default model; choose a classifier, and, to have it answer requests for embeddings, set recognize.embedding_model", edgelens.ErrModel, l.Name, l.Task)
}

// find compares a name, which may come from a client, with the list; it never
// becomes part of a path.
func (r *Registry) find(name string) (Listed, error) {
	if name == "" {
		name = r.Default()
	}
	if e, ok := r.manifest().Find(name); ok {
		return r.fromManifest(&e), nil
	}
	if r.builtIn != nil && r.builtIn.Name == name {
		return r.fromBuiltIn(), nil
	}
	files, err := r.dropped()
	if err != nil {
		return Listed{}, fmt.Errorf("%w: look for %.100q in the models folder: %w", edgelens.ErrModel, name, err)
	}
	for _, file := range files {
		if r.nameOf(file) == name {
			return r.fromFile(file), nil
		}
	}
	return Listed{}, fmt.Errorf("%w: %.100q; known: %s", edgelens.ErrUnknownModel, name, r.known())
}

// known returns the names of all models for an error message.
func (r *Registry) known() string {
	const most = 20
	var names []string
	for _, e := range r.manifest().Models {
		names = append(names, e.Name)
	}
	if r.builtIn != nil {
		names = append(names, r.builtIn.Name)
	}
	files, err := r.dropped()
	if err != nil {
		files = nil // an error about a name does not become one about the folder
	}
	for _, file := range files {
		names = append(names, r.nameOf(file))
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// dropped returns the names of the .tflite files that are not in the manifest, and
// the folderFile of each folder, sorted. Hidden files, such as the "._x" that macOS
// leaves, are not models.
func (r *Registry) dropped() ([]string, error) {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, bare(err)
	}
	manifest := r.manifest()
	var files []string
	for _, e := range entries {
		name := e.Name()
		if r.isFolder(e) {
			if r.isModelFolder(name) {
				files = append(files, folderFile(name))
			}
			continue
		}
		if filepath.Ext(name) != modelExt || strings.HasPrefix(name, ".") {
			continue
		}
		promised := slices.ContainsFunc(manifest.Models, func(m Entry) bool { return m.File.Name == name })
		if !promised {
			files = append(files, name)
		}
	}
	return files, nil
}

// isFolder reports whether an entry of the models folder is a folder, or a link to one.
func (r *Registry) isFolder(e os.DirEntry) bool {
	if e.Type()&os.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(r.dir, e.Name()))
	return err == nil && info.IsDir()
}
