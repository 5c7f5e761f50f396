// Command export quantizes the snapshot-quality model after its training and
// writes the .tflite file:
//
//	go run ./models/quality/export TRAINED OUT.tflite
//
// reads TRAINED.json and TRAINED.f32, which training/export.py wrote.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: export TRAINED OUT.tflite")
		os.Exit(2)
	}
	if err := export(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "export:", err)
		os.Exit(1)
	}
}

func export(trained, out string) error {
	net, err := readNet(trained)
	if err != nil {
		return err
	}
	model, err := build(net)
	if err != nil {
		return err
	}
	file, err := model.Write()
	if err != nil {
		return err
	}
	return os.WriteFile(out, file, 0o644)
}
