package models

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edgelens"
)

// Frigate trains classifiers of states and objects, and keeps each in a folder of its own: the model, and the names of its
// classes, one a line in the order of the outputs (docs/states.md). Such a folder is a model of the folder's name.
const (
	folderModel  = "model.tflite"
	folderLabels = "labelmap.txt"
)

// FolderFiles are the files of a folder that is a model.
func FolderFiles() []string { return []string{folderModel, folderLabels} }

// labelmapEnd ends the name of a label file of Frigate's beside NAME.tflite.
const labelmapEnd = "." + folderLabels

// folderFile returns the model file of a folder, relative to the models folder.
func folderFile(folder string) string { return filepath.Join(folder, folderModel) }

// folderOf returns the folder of a model that has one of its own; "" for a file of the models folder.
func folderOf(file string) string {
	if folder := filepath.Dir(file); folder != "." {
		return folder
	}
	return ""
}

// ignoredFolders are those that a file system has, and no one put there as a model.
var ignoredFolders = []string{"lost+found", "__MACOSX", "@eaDir", "System Volume Information"}

// isModelFolder reports whether a folder of the models folder is to be listed: any but an empty, a hidden one, and those of
// a file system.
func (r *Registry) isModelFolder(folder string) bool {
	if strings.HasPrefix(folder, ".") || slices.Contains(ignoredFolders, folder) {
		return false
	}
	opened, err := os.Open(filepath.Join(r.dir, folder))
	if err != nil {
		return true
	}
	defer opened.Close()
	_, err = opened.Readdirnames(1)
	return !errors.Is(err, io.EOF)
}

// fromFolder inspects a folder with a model of its own.
func (r *Registry) fromFolder(folder string) Listed {
	l := Listed{Model: Model{
		ModelRef: edgelens.ModelRef{Name: r.nameOf(folderFile(folder))},
		Path:     filepath.Join(r.dir, folderFile(folder)),
		Task:     edgelens.TaskClassification,
	}}
	shown := strings.ToValidUTF8(folder, "?")
	switch why := badFileName(folder); {
	case why != "":
		return l.failed(fmt.Sprintf("the name of the folder %.200q %s; rename it", shown, why))
	case l.Name != shown:
		return l.failed(fmt.Sprintf("the folder %s has the name of another model; rename it", shown))
	}
	if problem := r.missingIn(folder); problem != "" {
		return l.failed(problem)
	}
	facts, err := r.modelFiles.get(l.Path)
	if err != nil {
		return l.failed(folder + ": " + err.Error())
	}
	l.Digest, l.FileBytes, l.Facts = digest(facts.sha256), facts.size, facts.about
	if facts.modelErr != nil {
		return l.failed(folderFile(folder) + " " + facts.modelErr.Error())
	}
	l.Activation = facts.activation
	if problem := l.normalizeBy(facts); problem != "" {
		return l.failed(folder + "/" + problem)
	}
	found, err := r.labelsFiles.get(filepath.Join(r.dir, folder, folderLabels))
	switch {
	case err != nil:
		return l.failed(folder + ": " + err.Error())
	case found.err != nil:
		return l.failed(filepath.Join(folder, folderLabels) + ": " + found.err.Error())
	}
	l.useLabelmap(found)
	l = l.available(folderLabels)
	if rest, ok := strings.CutPrefix(l.Problem, folderModel); ok {
		l.Problem = folderFile(folder) + rest
	}
	return l
}

// missingIn returns a sentence on what a folder lacks; "" where it has a model and labels.
func (r *Registry) missingIn(folder string) string {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(r.dir, folder, name))
		return !errors.Is(err, os.ErrNotExist)
	}
	const form = "a folder is a model if it has " + folderModel + " and " + folderLabels + ", as Frigate exports them"
	switch model, labels := has(folderModel), has(folderLabels); {
	case model && labels:
		return ""
	case model:
		return fmt.Sprintf("the folder %s has no %s: %s; write the names of the classes there, one a line", folder, folderLabels, form)
	case labels:
		return fmt.Sprintf("the folder %s has no %s: %s; copy it there, too", folder, folderModel, form)
	}
	return fmt.Sprintf("the folder %s is not understood: %s; move other models into the models folder itself, as NAME.tflite, and other files elsewhere", folder, form)
}

// useLabelmap gives a model the labels of Frigate, and shows it images as Frigate does: stretched, their bytes as they are,
// whatever range the converter measured on the images of the training. What the model itself or the manifest sets counts
// more.
func (l *Listed) useLabelmap(found labelsFacts) {
	l.Labels, l.labelsFormat = found.labels, found.form
	if outputs := classesIn(l.Facts); len(found.lines) == outputs && (len(found.labels) != outputs || hasTwins(found.labels)) {
		l.Labels, l.labelsFormat = found.lines, labelFormat{} // the numbers are parts of the names: "1 car", "2 cars"
	}
	if l.Fit == "" {
		l.Fit = edgelens.FitStretch
	}
	if l.Normalization == nil {
		if n, ok := bytesAsTheyAre(l.Facts); ok {
			l.Normalization, l.NormalizationFrom = &n, FromLabelmap
		}
	}
}

// classesIn returns the number of outputs of a classifier; 0 where it has none.
func classesIn(f *edgelens.ModelFacts) int {
	if len(f.Outputs) != 1 {
		return 0
	}
	classes, err := Classes(specOf(f.Outputs[0]))
	if err != nil {
		return 0
	}
	return classes
}

// hasTwins reports whether two classes have the same name.
func hasTwins(names []string) bool {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// bytesAsTheyAre returns the normalization with which each element of a uint8 input is the pixel's value; false for other
// inputs.
func bytesAsTheyAre(f *edgelens.ModelFacts) (Normalization, bool) {
	if len(f.Inputs) != 1 {
		return Normalization{}, false
	}
	input := specOf(f.Inputs[0])
	if input.DType != Uint8 || input.Scale == 0 {
		return Normalization{}, false
	}
	return Uniform(float64(input.ZeroPoint), 1/input.Scale), true
}

// plainLines returns the lines of a label file without the spaces around them, and without blank ones at the end.
func plainLines(data []byte) []string {
	text := strings.TrimPrefix(string(data), "\xef\xbb\xbf")
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
