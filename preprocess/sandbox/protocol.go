package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"edgelens"
	"edgelens/models"
)

// maxMessage limits the size of a packet in either direction.
const maxMessage = 64 << 10

// target is a models.InputBuffer without its memory.
type target struct {
	Spec models.InputSpec
	View edgelens.View
}

// tensors is how many tensors a buffer may become.
func (t target) tensors() int {
	if t.View.Fit == edgelens.FitSweep {
		return edgelens.MaxSweep
	}
	return 1
}

// equal reports whether two targets are the same.
func (t target) equal(other target) bool {
	return t.Spec.Name == other.Spec.Name && t.Spec.HasValuesOf(other.Spec.TensorSpec) && t.Spec.Normalization == other.Spec.Normalization &&
		t.Spec.NormalizationFrom == other.Spec.NormalizationFrom && t.Spec.Width == other.Spec.Width && t.Spec.Height == other.Spec.Height &&
		t.Spec.Channels == other.Spec.Channels && t.View == other.View
}

func targetsOf(into []models.InputBuffer) []target {
	targets := make([]target, len(into))
	for i, buffer := range into {
		targets[i] = target{Spec: buffer.Spec, View: buffer.View}
	}
	return targets
}

// layout returns where the first tensor of each buffer is in the memory for tensors; the
// others of a buffer follow it. total is the size of all.
func layout(targets []target) (starts []int, total int) {
	for _, t := range targets {
		starts = append(starts, total)
		total += t.tensors() * t.Spec.Bytes()
	}
	return starts, total
}

// task asks a helper for the tensors of an image of size bytes. It is made by this
// process, and so not validated by the helper.
type task struct {
	sequence uint64
	size     uint64
	// targets is JSON of []target: the same for most images, and so read once.
	targets []byte
}

const taskHeader = 16

// describe returns the text of targets in a task.
func describe(targets []target) ([]byte, error) {
	text, err := json.Marshal(targets)
	if err == nil && taskHeader+len(text) > maxMessage {
		err = errors.New("it does not fit into a message")
	}
	if err != nil {
		return nil, fmt.Errorf("fill the input tensor: %w: its description cannot be passed on (%v); report this as a bug of edgelens", edgelens.ErrModel, err)
	}
	return text, nil
}

func (t task) append(to []byte) []byte {
	to = binary.LittleEndian.AppendUint64(to, t.sequence)
	to = binary.LittleEndian.AppendUint64(to, t.size)
	return append(to, t.targets...)
}

func parseTask(message []byte) (task, error) {
	if len(message) < taskHeader {
		return task{}, errors.New("the task is too short")
	}
	return task{
		sequence: binary.LittleEndian.Uint64(message), size: binary.LittleEndian.Uint64(message[8:]), targets: message[taskHeader:],
	}, nil
}

// read returns the targets.
func (t task) read() (targets []target, err error) {
	err = json.Unmarshal(t.targets, &targets)
	return targets, err
}

// statuses are the errors that a helper may answer; 0 is none. They are the sentinels that
// package preprocess has for images and their tensors.
var statuses = [...]error{
	nil, edgelens.ErrNoImage, edgelens.ErrTooLarge, edgelens.ErrUnsupportedFormat, edgelens.ErrBadImage, edgelens.ErrInvalid, edgelens.ErrModel,
}

// answer is what a helper answers.
type answer struct {
	sequence uint64
	// status is an index of statuses.
	status byte
	// damaged is ImageInfo.Damaged, and parts how many tensors the first buffer has become;
	// 0 with an error.
	damaged bool
	parts   byte
	// preprocess is how long cutting, resizing and packing took.
	preprocess time.Duration
	// messages is how many messages the decoders had since the helper's start.
	messages uint64
	// text is that of the error.
	text string
}

// answerOf makes an answer from a result of package preprocess.
func answerOf(sequence uint64, filled models.Filled, err error) answer {
	a := answer{sequence: sequence}
	if err == nil {
		a.damaged, a.parts, a.preprocess = filled.Image.Damaged, byte(1+len(filled.More)), filled.Timings.Preprocess
		return a
	}
	a.status, a.text = statusOf(edgelens.ErrBadImage), fmt.Sprintf("decode the image: %v", edgelens.ErrBadImage)
	for i, sentinel := range statuses {
		if sentinel != nil && errors.Is(err, sentinel) {
			a.status, a.text = byte(i), err.Error()
		}
	}
	return a
}

func statusOf(sentinel error) byte {
	for i, known := range statuses {
		if known == sentinel {
			return byte(i)
		}
	}
	return 0
}

const (
	answerHeader = 8 + 1 + 1 + 1 + 8 + 8
	// maxErrorText limits the text of an error, in bytes.
	maxErrorText = 1000
	// maxDuration is longer than any time that a helper may take.
	maxDuration = time.Hour
)

func (a answer) append(to []byte) []byte {
	to = binary.LittleEndian.AppendUint64(to, a.sequence)
	damaged := byte(0)
	if a.damaged {
		damaged = 1
	}
	to = append(to, a.status, damaged, a.parts)
	to = binary.LittleEndian.AppendUint64(to, uint64(a.preprocess))
	to = binary.LittleEndian.AppendUint64(to, a.messages)
	return append(to, a.text[:min(len(a.text), maxErrorText)]...)
}

// errMalformed is about an answer that no helper of this program gives.
var errMalformed = errors.New("the decode helper's answer is malformed")

// parseAnswer reads and validates the answer to a task: it may come from a helper that its
// image has taken over.
func parseAnswer(message []byte, sequence uint64, targets []target) (answer, error) {
	if len(message) < answerHeader || len(message) > answerHeader+maxErrorText || len(targets) == 0 {
		return answer{}, errMalformed
	}
	a := answer{
		sequence: binary.LittleEndian.Uint64(message), status: message[8], damaged: message[9] == 1, parts: message[10],
		preprocess: time.Duration(binary.LittleEndian.Uint64(message[11:])), messages: binary.LittleEndian.Uint64(message[19:]),
		text: string(message[answerHeader:]),
	}
	if a.sequence != sequence || int(a.status) >= len(statuses) || message[9] > 1 || a.preprocess < 0 || a.preprocess > maxDuration {
		return answer{}, errMalformed
	}
	if a.status == 0 {
		if a.text != "" || a.parts < 1 || int(a.parts) > targets[0].tensors() {
			return answer{}, errMalformed
		}
		return a, nil
	}
	if a.damaged || a.parts != 0 || !isSentence(a.text) || !strings.Contains(a.text, statuses[a.status].Error()) {
		return answer{}, errMalformed
	}
	return a, nil
}

// isSentence reports whether a text can be shown to a user.
func isSentence(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// imageError is an error of package preprocess in a helper.
type imageError struct {
	sentinel error
	text     string
}

func (e *imageError) Error() string { return e.text }

func (e *imageError) Unwrap() error { return e.sentinel }

// err is the error of an answer; nil if it has none.
func (a answer) err() error {
	if a.status == 0 {
		return nil
	}
	return &imageError{statuses[a.status], a.text}
}
