package arm64

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
)

// An answer is one line of `edgelens recognize --json`: what a program says
// about one image.
type answer struct {
	File        string       `json:"file"`
	Error       string       `json:"error"`
	Code        string       `json:"code"`
	Predictions []prediction `json:"predictions"`
	TotalMS     float64      `json:"total_ms"`
}

type prediction struct {
	ClassID     int     `json:"class_id"`
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// A verdict is what two answers about one image have in common. The zero
// value says that both programs see the same to the last digit.
type verdict struct {
	// Refused: neither program takes the image, for the same reason.
	Refused bool
	// CloseCall: another class is on top, but to neither program the two
	// classes differ by more than the tolerance.
	CloseCall bool
	// Fault says what must not differ and does; empty where nothing does.
	Fault string
	// Difference is the largest of the probabilities of one class.
	Difference float64
}

// compare judges two answers. Where other classes are on top, tolerance is how
// far apart the two may be in each answer to be a close call; 0 allows none. A
// class that an answer leaves out counts as improbable: both are asked for all
// that a program tells.
func compare(native, cross answer, tolerance float64) verdict {
	switch {
	case native.File != cross.File:
		return verdict{Fault: fmt.Sprintf("answers are about different images, %s and %s", native.File, cross.File)}
	case native.Error != "" || cross.Error != "":
		if native.Code != cross.Code || native.Error != cross.Error {
			return verdict{Fault: fmt.Sprintf("errors differ: %q and %q", native.Error, cross.Error)}
		}
		return verdict{Refused: true}
	case len(native.Predictions) == 0 || len(cross.Predictions) == 0:
		return verdict{Fault: "an answer has no predictions"}
	}
	v := verdict{Difference: largestDifference(native.Predictions, cross.Predictions)}
	ours, theirs := native.Predictions[0].ClassID, cross.Predictions[0].ClassID
	if ours == theirs {
		return v
	}
	apart := max(native.of(ours)-native.of(theirs), cross.of(theirs)-cross.of(ours))
	if v.CloseCall = tolerance > 0 && apart <= tolerance; !v.CloseCall {
		v.Fault = fmt.Sprintf("the classes on top differ, and are %.6f apart", apart)
	}
	return v
}

// of returns the probability of a class, 0 where it is left out.
func (a answer) of(class int) float64 {
	for _, p := range a.Predictions {
		if p.ClassID == class {
			return p.Probability
		}
	}
	return 0
}

func largestDifference(native, cross []prediction) float64 {
	differences := map[int]float64{}
	for _, p := range native {
		differences[p.ClassID] += p.Probability
	}
	for _, p := range cross {
		differences[p.ClassID] -= p.Probability
	}
	largest := 0.0
	for _, d := range differences {
		largest = max(largest, math.Abs(d))
	}
	return largest
}

// recognize runs a program over images and hands on each answer as it
// comes. That some images are refused is no error; that answers are missing
// is.
func recognize(command, images []string, each func(answer)) error {
	args := append(command[1:len(command):len(command)], images...)
	cmd := exec.Command(command[0], args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	count := 0
	lines := json.NewDecoder(out)
	for {
		var a answer
		if err = lines.Decode(&a); err != nil {
			break
		}
		count++
		each(a)
	}
	_, _ = io.Copy(io.Discard, out) // or the program may wait for a reader
	ended := cmd.Wait()
	if errors.Is(err, io.EOF) && count == len(images) {
		return nil // an exit status other than 0 says that one was refused
	}
	return fmt.Errorf("%s answered %d of %d images (%v, %v): %s", command[0], count, len(images), err, ended, complaint.Bytes())
}
