// Command evaluate runs a model with one input over many images:
//
//	go run ./tools/quality/evaluate MODEL.tflite <images >scores
//
// Standard input has input tensors one after the other; for each, the bytes
// of the output tensor are written. The time of one Invoke goes to standard
// error. training/evaluate.py uses it for the model card's tables.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"edgelens/inference"
	"edgelens/inference/tflite"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: evaluate MODEL.tflite <images >scores")
		os.Exit(2)
	}
	if err := evaluate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(1)
	}
}

func evaluate(path string) (err error) {
	model, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	i, err := model.NewInterpreter()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	in, out := make([]byte, i.Input().Bytes()), make([]byte, i.Output().Bytes())
	from, to := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	var times []time.Duration
	for {
		_, err := io.ReadFull(from, in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read image %d: %w", len(times), err)
		}
		start := time.Now()
		if err := errors.Join(inference.SetInput(i, in), i.Invoke(), i.ReadOutput(out)); err != nil {
			return err
		}
		times = append(times, time.Since(start))
		if _, err := to.Write(out); err != nil {
			return err
		}
	}
	if len(times) > 0 {
		slices.Sort(times)
		fmt.Fprintf(os.Stderr, "%d images, %s, median %v\n", len(times), i.Delegation(), times[len(times)/2])
	}
	return to.Flush()
}
