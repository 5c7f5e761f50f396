package models

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"edgelens"
)

// notClassifier returns an ErrModel for a model that is no image classifier: what it
// seems to be, and what to do.
func notClassifier(format string, args ...any) error {
	return fmt.Errorf("%w: it %s", edgelens.ErrModel, fmt.Sprintf(format, args...))
}

// checkCounts rejects a model with more or fewer than one input and one output, and
// names what it seems to be.
func checkCounts(inputs, outputs int) error {
	switch {
	case inputs != 1:
		return notClassifier("has %d inputs; an image classifier has one, the image", inputs)
	case outputs == 4, outputs == 3:
		return notClassifier("has %d outputs, so it seems to be a detector (boxes, classes, scores); use an image classifier, which has one output", outputs)
	case outputs != 1:
		return notClassifier("has %d outputs; an image classifier has one: convert it again with the scores as its only output", outputs)
	}
	return nil
}

// Classes returns the number of classes of an output of that shape: N of [1 N] and
// [1 1 1 N], and 2 of a single score, which is that of the second. The error wraps
// edgelens.ErrModel, with what the model seems to be and what to do.
func Classes(output TensorSpec) (int, error) {
	shape := output.Shape
	if output.DType == InvalidDType {
		return 0, notClassifier("has an output of whole numbers or of another type than uint8, int8 and float32, so it seems to give the number of the best class (ARG_MAX) rather than scores; convert it again with the scores as its output")
	}
	if len(shape) > 0 && slices.Min(shape) < 1 {
		return 0, notClassifier("has an output of shape %v, which is empty", shape)
	}
	last := 0
	if len(shape) > 0 {
		last = shape[len(shape)-1]
	}
	switch {
	case output.Elements() == 1 && (len(shape) == 2 || len(shape) == 4):
		return 2, nil
	case len(shape) == 2 && shape[0] == 1, len(shape) == 4 && output.Elements() == last:
		return last, nil
	case len(shape) < 2:
		return 0, notClassifier("has an output of shape %v; that of an image classifier is [1 N], a score for each of N classes", shape)
	case shape[0] != 1:
		return 0, notClassifier("has an output of shape %v, so it takes %d images at a time; convert it again with a batch of 1", shape, shape[0])
	}
	return 0, notClassifier("has an output of shape %v, so it seems to be %s; use an image classifier, whose output is [1 N], a score for each of N classes", shape, seems(shape[1:]))
}

// seems names the kind of model with an output of that shape, without the batch.
func seems(shape []int) string {
	last := shape[len(shape)-1]
	rest := 1
	for _, d := range shape[:len(shape)-1] {
		rest *= d
	}
	switch wide := len(shape) == 3 && shape[0] > 1 && shape[1] > 1; {
	case wide && last > 40:
		return "a feature map or the heat maps of a pose or detector"
	case wide:
		return "a segmentation (a mask, with scores for each pixel) or heat maps"
	case last == 4 && rest > 1:
		return "a detector (boxes)"
	case last <= 3 && rest <= 500:
		return "a pose or landmark model (points)"
	case len(shape) == 2 && (last > 4 && rest > 100 || rest > 4 && last > 100):
		return "a detector (many boxes with scores)"
	}
	return "a model of another kind"
}

// dtypeOf is the reverse of DType.String.
func dtypeOf(name string) DType {
	for _, t := range []DType{Uint8, Int8, Float32} {
		if t.String() == name {
			return t
		}
	}
	return InvalidDType
}

func specOf(t edgelens.Tensor) TensorSpec {
	return TensorSpec{Name: t.Name, Shape: t.Shape, DType: dtypeOf(t.DType), Scale: t.Scale, ZeroPoint: t.ZeroPoint}
}

// CheckTensors returns an error if a model with the inputs and outputs of its file
// cannot be an image classifier, whatever its labels. The runtime may still find
// other shapes than those in the file. The error wraps edgelens.ErrModel.
func CheckTensors(f *edgelens.ModelFacts) error {
	if err := checkCounts(len(f.Inputs), len(f.Outputs)); err != nil {
		return err
	}
	if _, err := NewInputSpec(specOf(f.Inputs[0]), nil); err != nil {
		return err
	}
	_, err := Classes(specOf(f.Outputs[0]))
	return err
}

func (m *Model) checkTensors(f *edgelens.ModelFacts) error {
	if err := CheckTensors(f); err != nil {
		return err
	}
	return m.CheckOutput(specOf(f.Outputs[0]))
}

// CheckOutput returns an error if the model cannot be used with its output and, for a classifier, its labels. The error
// wraps edgelens.ErrModel.
func (m *Model) CheckOutput(output TensorSpec) error {
	if m.Task == edgelens.TaskEmbedding {
		return checkEmbedding(output)
	}
	classes, err := Classes(output)
	if err != nil {
		return err
	}
	single := output.Elements() == 1
	switch n := len(m.Labels); {
	case n == classes:
		return nil
	case single:
		return notClassifier("has a single score, for which two labels are needed: first the name for low scores, then that for high ones; there are %d", n)
	case n != 0:
		count := n
		if m.labelsFormat.from == 1 { // class 0 is not among them
			count--
		}
		return fmt.Errorf("%w: it has %d labels for %d outputs: %s", edgelens.ErrModel, count, classes, m.labelsFormat.cause(m.Labels, classes))
	case m.TaskGiven: // the manifest declares a classifier; the classes stay numbers
		return nil
	}
	return notClassifier("has an output of %d numbers and no labels anywhere, so it probably gives a feature vector (embedding) and no scores; for a classifier, put its labels beside it as %s.txt, one a line, or enter it in manifest.yaml with `task: classify`; for feature vectors, run `edgelens model add %s --task embedding`", classes, stem(m.Path), filepath.Base(m.Path))
}

// checkEmbedding rejects an output that is no feature vector: [1 N] or [1 1 1 N], of two numbers at least.
func checkEmbedding(output TensorSpec) error {
	if _, err := Classes(output); err != nil {
		return err
	}
	if output.Elements() < 2 {
		return notClassifier("has an output of shape %v, a single number; that of a model of task %q is [1 N], a feature vector", output.Shape, edgelens.TaskEmbedding)
	}
	return nil
}

// cause is the most common cause of a wrong number of labels.
func (f labelFormat) cause(labels []string, classes int) string {
	first := strings.ToLower(strings.TrimSpace(labels[0]))
	switch n := len(labels); {
	case f.numbered && f.from == 1 && n == classes+1:
		return "they are numbered from 1, and classes are counted from 0; number them from 0, or, where the numbers are part of the names, write the names as a JSON list"
	case n == classes-1:
		return "is the background class missing? Then its name, such as background, belongs before the others"
	case n == classes+1 && strings.HasPrefix(first, "#"):
		return "is the first line a comment? Remove it"
	case n == classes+1 && (slices.Contains(nameHeads, first) || slices.Contains(numberHeads, first) || slices.Contains(listMembers, first)):
		return "is the first line a heading? Remove it"
	case n == classes+1:
		return "is there a background class or a heading too many?"
	}
	return "are they those of another model?"
}
