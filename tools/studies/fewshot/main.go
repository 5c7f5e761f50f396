// Command fewshot measures how right heads are that learned from a few images of each class, beside the nearest neighbor on the same
// embeddings:
//
//	go run ./tools/studies/fewshot --models FOLDER --labeled FOLDER [--imprinting FOLDER] [--out FILE]
//
// `make bench-few-shot` writes docs/experiments/few-shot.md with it. The classes are those of package groups.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/preprocess/sandbox"
	"edgelens/tools/studies/groups"
	"edgelens/tools/studies/study"
)

func main() {
	sandbox.Main() // this may be a child process that decodes an image
	study.Main("fewshot", run)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := pflag.NewFlagSet("fewshot", pflag.ContinueOnError)
	f.SetOutput(stderr)
	modelsDir := f.String("models", "", "folder with the extractor")
	labeled := f.String("labeled", "", "folder with the labeled images")
	imprinting := f.String("imprinting", "", "folder with images NAME_train_N.bmp and NAME_test_N.bmp, for a smoke test")
	seeds := f.Int("seeds", 50, "how many splits are measured")
	out := f.String("out", "", "file to write the report to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *modelsDir == "" || *labeled == "" {
		return errors.New("give --models and --labeled")
	}
	e, err := newEmbedder(*modelsDir)
	if err != nil {
		return err
	}
	defer e.close()
	classes, err := readGroups(ctx, e, *labeled)
	if err != nil {
		return err
	}
	var report bytes.Buffer
	writeHead(&report, classes, e.extractor, *seeds)
	for _, shots := range []int{3, 6} {
		s, err := measure(ctx, classes, shots, *seeds)
		if err != nil {
			return err
		}
		s.write(&report, shots)
	}
	if *imprinting != "" {
		if err := smokeTest(ctx, e, *imprinting, &report); err != nil {
			return err
		}
	}
	return study.WriteReport(*out, stdout, report.Bytes())
}

// embedder makes embeddings as the service does.
type embedder struct {
	core      *app.Core
	dataDir   string
	extractor edgelens.ModelRef // of the last embedding
}

func newEmbedder(modelsDir string) (*embedder, error) {
	dataDir, err := os.MkdirTemp("", "fewshot-")
	if err != nil {
		return nil, err
	}
	c, err := config.Load(pflag.NewFlagSet("fewshot", pflag.ContinueOnError), []string{"EDGELENS_DATA_DIR=" + dataDir, "EDGELENS_MODELS_DIR=" + modelsDir})
	if err == nil {
		c.Inference.Interpreters, c.Recognize.Slots = 1, 1
		e := &embedder{dataDir: dataDir}
		if e.core, err = app.NewCore(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err == nil {
			return e, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dataDir))
}

func (e *embedder) close() {
	app.CloseWithin(app.StopTimeout, e.core.Close) // the process ends next
	_ = os.RemoveAll(e.dataDir)                    // a folder of temporary files
}

// embed returns the example of an image file, by the default extractor.
func (e *embedder) embed(ctx context.Context, file, label string) (edgelens.Example, error) {
	image, err := os.ReadFile(file)
	if err != nil {
		return edgelens.Example{}, err
	}
	sum := sha256.Sum256(image)
	result, err := e.core.Recognizer.Recognize(ctx, &edgelens.Request{ID: filepath.Base(file), Source: "cli", Task: edgelens.TaskEmbedding, Image: image, SHA256: sum})
	if err != nil {
		return edgelens.Example{}, fmt.Errorf("%s: %w", file, err)
	}
	e.extractor = result.Model
	return edgelens.Example{ID: filepath.Base(file), Label: label, SHA256: fmt.Sprintf("%x", sum), Extractor: result.Model, Embedding: result.Embedding}, nil
}

// class is a group with the examples of its images.
type class struct {
	kind, synset string
	examples     []edgelens.Example
}

// readGroups embeds the images of package groups. The classes are sorted by kind.
func readGroups(ctx context.Context, e *embedder, folder string) ([]class, error) {
	images, err := groups.Images()
	if err != nil {
		return nil, err
	}
	var all []class
	for _, image := range images {
		example, err := e.embed(ctx, filepath.Join(folder, image.File), image.Kind)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 || all[len(all)-1].kind != image.Kind {
			all = append(all, class{kind: image.Kind, synset: image.Synset})
		}
		last := &all[len(all)-1]
		last.examples = append(last.examples, example)
	}
	return all, nil
}
