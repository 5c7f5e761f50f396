package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"edgelens"
)

// fromManifest inspects the files of a manifest's model.
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
			Fit:           e.Fit,
			Runtime:       e.Runtime,
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
		return l.failed(fmt.Sprintf("%s is corrupt or differs from the manifest: expected sha256 %s (%d bytes), got %s (%d bytes); delete it and run `edgelens model pull %s`",
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
	switch {
	case e.Task == edgelens.TaskEmbedding:
		return l.available("") // features have no labels
	case e.Labels != nil:
		return r.withPromisedLabels(l)
	}
	return r.withOwnLabels(l, facts)
}

// fromBuiltIn adds the facts of its file to the built-in model.
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

// fromFile inspects a file that is not in the manifest, or a folder by its folderFile.
func (r *Registry) fromFile(file string) Listed {
	if folder := folderOf(file); folder != "" {
		return r.fromFolder(folder)
	}
	l := Listed{Model: Model{
		ModelRef: edgelens.ModelRef{Name: r.nameOf(file)},
		Path:     filepath.Join(r.dir, file),
		Task:     edgelens.TaskClassification,
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

// normalizeBy uses the normalization of the model's own metadata. Unusable
// metadata is a problem: another normalization gives wrong results.
func (l *Listed) normalizeBy(facts modelFacts) (problem string) {
	if facts.metadataErr != nil {
		return fmt.Sprintf("%s: its TFLite Metadata %s; enter the model in manifest.yaml with `input: {mean: ..., std: ...}`", filepath.Base(l.Path), facts.metadataErr)
	}
	if facts.normalization != nil {
		l.Normalization, l.NormalizationFrom = facts.normalization, FromMetadata
	}
	return ""
}

// nameOf returns the name of the model in a dropped file: the file's without
// ".tflite", or the folder's, or all of it if the manifest uses that name for another
// file, it is that of the built-in model, or a file has the name of a folder.
func (r *Registry) nameOf(file string) string {
	file = strings.ToValidUTF8(file, "?")
	name := stem(file)
	folder := folderOf(file)
	if folder != "" {
		name = folder
	}
	if r.manifest().indexOf(name) >= 0 || r.builtIn != nil && r.builtIn.Name == name || folder != "" && r.isFile(folder+modelExt) {
		return file
	}
	return name
}

// isFile reports whether the models folder has a file of that name.
func (r *Registry) isFile(name string) bool {
	info, err := os.Stat(filepath.Join(r.dir, name))
	return err == nil && !info.IsDir()
}

// withPromisedLabels gives a model the labels that the manifest lists.
func (r *Registry) withPromisedLabels(l Listed) Listed {
	want := l.Entry.Labels
	facts, err := r.labelsFiles.get(filepath.Join(r.dir, want.Name))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return l.missing(want.Name)
	case err != nil:
		return l.failed(err.Error())
	case facts.sha256 != want.SHA256:
		return l.failed(fmt.Sprintf("%s is corrupt or differs from the manifest: expected sha256 %s, got %s; delete it and run `edgelens model pull %s`",
			want.Name, want.SHA256, facts.sha256, l.Name))
	case facts.err != nil:
		return l.failed(want.Name + ": " + facts.err.Error())
	}
	l.Labels, l.labelsFormat = facts.labels, facts.form
	return l.available(want.Name)
}

// besideModel are the suffixes of the names of label files beside NAME.tflite, in
// order of precedence. Files with the last ones may be something else.
var besideModel = []string{".txt", ".labels.txt", labelmapEnd, ".csv", ".pbtxt", ".json"}

// withOwnLabels gives a model the labels beside it, or else those inside it, or
// else those of labels.txt if it is the only model.
func (r *Registry) withOwnLabels(l Listed, facts modelFacts) Listed {
	file := filepath.Base(l.Path)
	for _, end := range besideModel {
		beside := stem(file) + end
		found, err := r.labelsFiles.get(filepath.Join(r.dir, beside))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return l.failed(err.Error())
		case found.err != nil && !strings.HasSuffix(end, ".txt") && facts.labels != nil:
			continue
		case found.err != nil:
			return l.failed(beside + ": " + found.err.Error())
		}
		if end == labelmapEnd {
			l.useLabelmap(found)
			return l.available(beside)
		}
		l.Labels, l.labelsFormat = found.labels, found.form
		return l.available(beside)
	}
	if facts.labelsErr != nil {
		return l.failed(file + ": its labels: " + facts.labelsErr.Error())
	}
	if facts.labels != nil {
		l.Labels, l.labelsFormat = facts.labels, facts.labelsFormat
		return l.available("")
	}
	for _, stray := range strayLabels {
		found, err := r.labelsFiles.get(filepath.Join(r.dir, stray))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return l.failed(err.Error())
		case !r.alone(file):
			l = l.available("")
			if l.State == edgelens.ModelFailed {
				l.Problem += fmt.Sprintf(" (%s lies beside several models, so it names none; rename it to %s where it belongs to this one)", stray, strayName(stray, stem(file)))
			}
			return l
		case found.err != nil:
			return l.failed(stray + ": " + found.err.Error())
		}
		if stray == folderLabels {
			l.useLabelmap(found)
			return l.available(stray)
		}
		l.Labels, l.labelsFormat = found.labels, found.form
		return l.available(stray)
	}
	return l.available("")
}

// strayLabels are label files without the name of their model.
var strayLabels = []string{"labels.txt", folderLabels}

// strayName returns the name of a label file that belongs to a model.
func strayName(stray, model string) string {
	if stray == folderLabels {
		return model + labelmapEnd
	}
	return model + ".txt"
}

// alone reports whether a file is the only model in the folder.
func (r *Registry) alone(file string) bool {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		name := e.Name()
		if name != file && !e.IsDir() && filepath.Ext(name) == modelExt && !strings.HasPrefix(name, ".") {
			return false
		}
	}
	return true
}

// available ends the inspection of a model: it can be used unless it is no image
// classifier or its labels, from the named file, do not match it.
func (l Listed) available(labelsFile string) Listed {
	if err := l.checkTensors(l.Facts); err != nil {
		problem := filepath.Base(l.Path) + ": " + strings.TrimPrefix(err.Error(), edgelens.ErrModel.Error()+": ")
		if labelsFile != "" && strings.Contains(problem, "label") {
			problem += fmt.Sprintf(" (its labels are in %s)", labelsFile)
		}
		return l.failed(problem)
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
