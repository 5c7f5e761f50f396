// Command filestest writes files for recognition without photographs or models of
// others into a folder: colors.tflite, which classifies red, green and blue,
// and red.png. For checks of programs that cannot import modeltest.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"edgelens/models"
	"edgelens/models/modeltest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: filestest FOLDER") // there is no other output
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err) // there is no other output
		os.Exit(1)
	}
}

func write(folder string) error {
	for name, data := range map[string][]byte{
		"colors.tflite": modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}),
		"red.png":       modeltest.Image(modeltest.Red, 64, 64),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
