package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"edgelens"
)

// fromManifest looks at the files of a manifest's model.
func (r *Registry) fromManifest(e *Entry) Listed {
	l := Listed{
		Model: Model{
			ModelRef:      edgelens.ModelRef{Name: e.Name, Digest: digest(e.File.SHA256)},
			Path:          filepath.Join(r.dir, e.File.Name),
			FileBytes:     e.File.Size,
			Task:          e.Task,
			TaskGiven:     e.TaskGiven,
			Normalization: e.Normalization,
			Activation:    e.Activation,
		},
		Entry: e,
	}
	facts, err := r.modelFiles.get(l.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return l.missing(e.File.Name)
	case err != nil:
		return l.failed(err.Error())
	}
	l.Digest, l.FileBytes, l.Facts = digest(facts.sha256), facts.size, facts.about
	if facts.sha256 != e.File.SHA256 || facts.size != e.File.Size {
		return l.failed(fmt.Sprintf("%s is corrupt or other than the manifest says: expected sha256 %s (%d bytes), got %s (%d bytes); delete it and run `edgelens model pull %s`",
			e.File.Name, e.File.SHA256, e.File.Size, facts.sha256, facts.size, e.Name))
	}
	if facts.modelErr != nil {
		return l.failed(e.File.Name + " " + facts.modelErr.Error())
	}
	if l.Activation == ActivationAuto {
		l.Activation = facts.activation
	}
	if e.Normalization != nil {
		l.NormalizationFrom = FromManifest
	} else if problem := l.normalizeBy(facts); problem != "" {
		return l.failed(problem)
	}
	if e.Labels != nil {
		return r.withPromisedLabels(l)
	}
	return r.withOwnLabels(l, facts)
}

// fromBuiltIn adds to the built-in model what its file says.
func (r *Registry) fromBuiltIn() Listed {
	l := Listed{Model: *r.builtIn}
	facts, err := r.modelFiles.get(l.Path)
	if err != nil {
		return l.failed(err.Error())
	}
	if facts.modelErr != nil {
		return l.failed("the built-in model " + facts.modelErr.Error())
	}
	l.Facts, l.State = facts.about, edgelens.ModelAvailable
	return l
}

// fromFile looks at a file that the manifest does not know.
func (r *Registry) fromFile(file string) Listed {
	l := Listed{Model: Model{
		ModelRef: edgelens.ModelRef{Name: r.nameOf(file)},
		Path:     filepath.Join(r.dir, file),
		Task:     TaskClassification,
	}}
	shown := strings.ToValidUTF8(file, "?")
	switch why := badFileName(file); {
	case why != "":
		return l.failed(fmt.Sprintf("the file name %.200q %s; rename it", shown, why))
	case l.Name != stem(file):
		return l.failed(fmt.Sprintf("%s has the name of another model, of the manifest or built in; rename it", shown))
	}
	facts, err := r.modelFiles.get(l.Path)
	if err != nil {
		return l.failed(err.Error())
	}
	l.Digest, l.FileBytes, l.Facts = digest(facts.sha256), facts.size, facts.about
	if facts.modelErr != nil {
		return l.failed(file + " " + facts.modelErr.Error())
	}
	l.Activation = facts.activation
	if problem := l.normalizeBy(facts); problem != "" {
		return l.failed(problem)
	}
	return r.withOwnLabels(l, facts)
}

// normalizeBy takes the normalization of the model's own metadata. What that says
// and cannot be used is a problem: to normalize otherwise gives wrong answers.
func (l *Listed) normalizeBy(facts modelFacts) (problem string) {
	if facts.metadataErr != nil {
		return fmt.Sprintf("%s: its TFLite Metadata %s; enter the model in manifest.yaml with `input: {mean: ..., std: ...}`", filepath.Base(l.Path), facts.metadataErr)
	}
	if facts.normalization != nil {
		l.Normalization, l.NormalizationFrom = facts.normalization, FromMetadata
	}
	return ""
}

// nameOf returns the name of a dropped file's model: the file's without
// ".tflite", or all of it where the manifest has that name for another file or
// the built-in model has it.
func (r *Registry) nameOf(file string) string {
	file = strings.ToValidUTF8(file, "?")
	name := stem(file)
	if r.manifest.indexOf(name) >= 0 || r.builtIn != nil && r.builtIn.Name == name {
		return file
	}
	return name
}

// withPromisedLabels gives a model the labels that the manifest promises.
func (r *Registry) withPromisedLabels(l Listed) Listed {
	want := l.Entry.Labels
	facts, err := r.labelsFiles.get(filepath.Join(r.dir, want.Name))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return l.missing(want.Name)
	case err != nil:
		return l.failed(err.Error())
	case facts.sha256 != want.SHA256:
		return l.failed(fmt.Sprintf("%s is corrupt or other than the manifest says: expected sha256 %s, got %s; delete it and run `edgelens model pull %s`",
			want.Name, want.SHA256, facts.sha256, l.Name))
	case facts.err != nil:
		return l.failed(want.Name + ": " + facts.err.Error())
	}
	l.Labels = facts.labels
	return l.available()
}

// withOwnLabels gives a model the labels that are inside it or else lie beside
// it. To have none is no fault.
func (r *Registry) withOwnLabels(l Listed, facts modelFacts) Listed {
	file := filepath.Base(l.Path)
	if facts.labelsErr != nil {
		return l.failed(file + ": its labels: " + facts.labelsErr.Error())
	}
	if facts.labels != nil {
		l.Labels = facts.labels
		return l.available()
	}
	for _, beside := range []string{stem(file) + ".txt", stem(file) + ".labels.txt", "labels.txt"} {
		facts, err := r.labelsFiles.get(filepath.Join(r.dir, beside))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return l.failed(err.Error())
		case facts.err != nil:
			return l.failed(beside + ": " + facts.err.Error())
		}
		l.Labels = facts.labels
		break
	}
	return l.available()
}

// available is the end of looking at a model: it can be used unless it is no image
// classifier.
func (l Listed) available() Listed {
	if err := l.checkTensors(l.Facts); err != nil {
		return l.failed(filepath.Base(l.Path) + ": " + strings.TrimPrefix(err.Error(), edgelens.ErrModel.Error()+": "))
	}
	l.State = edgelens.ModelAvailable
	return l
}

func (l Listed) missing(file string) Listed {
	l.State = edgelens.ModelMissing
	l.Problem = fmt.Sprintf("%s is not in the models folder: `edgelens model pull %s` fetches it", file, l.Name)
	return l
}

func (l Listed) failed(problem string) Listed {
	l.State, l.Problem = edgelens.ModelFailed, problem
	return l
}

// digest returns the form that edgelens.ModelRef has; empty stays empty.
func digest(sha256 string) string {
	if sha256 == "" {
		return ""
	}
	return "sha256:" + sha256
}
