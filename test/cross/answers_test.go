package cross

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
)

// An answer is one line of `edgelens recognize --json`: a program's result for one image.
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

// A verdict is the comparison of two answers about one image. The zero value means that both programs agree to the last
// digit.
type verdict struct {
	// Refused: both programs reject the image, with the same error.
	Refused bool
	// CloseCall: the top classes differ, but in both answers the two classes differ by no more than the tolerance.
	CloseCall bool
	// Problem is the difference that must not be; empty without one.
	Problem string
	// Difference is the largest of the probabilities of one class.
	Difference float64
}

// compare compares two answers. Where the top classes differ, tolerance is the largest difference between the two in
// each answer for a close call; 0 allows none. A missing class counts as improbable: both are requested with all
// classes.
func compare(native, cross answer, tolerance float64) verdict {
	switch {
	case native.File != cross.File:
		return verdict{Problem: fmt.Sprintf("answers are about different images, %s and %s", native.File, cross.File)}
	case native.Error != "" || cross.Error != "":
		if native.Code != cross.Code || native.Error != cross.Error {
			return verdict{Problem: fmt.Sprintf("errors differ: %q and %q", native.Error, cross.Error)}
		}
		return verdict{Refused: true}
	case len(native.Predictions) == 0 || len(cross.Predictions) == 0:
		return verdict{Problem: "an answer has no predictions"}
	}
	v := verdict{Difference: largestDifference(native.Predictions, cross.Predictions)}
	ours, theirs := native.Predictions[0].ClassID, cross.Predictions[0].ClassID
	if ours == theirs {
		return v
	}
	apart := max(native.of(ours)-native.of(theirs), cross.of(theirs)-cross.of(ours))
	if v.CloseCall = tolerance > 0 && apart <= tolerance; !v.CloseCall {
		v.Problem = fmt.Sprintf("the classes on top differ, and are %.6f apart", apart)
	}
	return v
}

// of returns the probability of a class, 0 where it is missing.
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

// recognize runs a program over images and passes on each answer as it arrives. Rejected images are no error; missing
// answers are.
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
		return nil // an exit status other than 0 means that one was rejected
	}
	return fmt.Errorf("%s answered %d of %d images (%v, %v): %s", command[0], count, len(images), err, ended, complaint.Bytes())
}
