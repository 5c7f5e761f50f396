package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
)

// extractor is the name of the model in the manifest of embedder.
const extractor = "extractor"

// embedder gives embeddings by the path of a server.
type embedder struct {
	core *app.Core
	dir  string
}

// openEmbedder opens a model file of task embedding.
func openEmbedder(ctx context.Context, file string) (*embedder, error) {
	model, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "edgelens-federated-*")
	if err != nil {
		return nil, err
	}
	e := &embedder{dir: dir}
	manifest := fmt.Sprintf("models:\n  - {name: %s, file: %s.tflite, sha256: %x, size: %d, task: %s}\n", extractor, extractor, sha256.Sum256(model), len(model), edgelens.TaskEmbedding)
	if err := os.WriteFile(filepath.Join(dir, extractor+".tflite"), model, 0o600); err != nil {
		return e, err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifest), 0o600); err != nil {
		return e, err
	}
	c := config.Default()
	c.DataDir, c.ModelsDir, c.Model = dir, dir, extractor
	c.Complete()
	c.Inference.Interpreters, c.Recognize.Slots = 1, 1
	if e.core, err = app.NewCore(&c, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry()); err != nil {
		return e, err
	}
	return e, e.core.WarmUp(ctx)
}

// embed returns the embedding of an encoded image.
func (e *embedder) embed(ctx context.Context, image []byte) ([]float32, error) {
	result, err := e.core.Recognizer.Recognize(ctx, &edgelens.Request{
		ID: uuid.NewString(), Source: "cli", Task: edgelens.TaskEmbedding, Model: extractor, Image: image, SHA256: sha256.Sum256(image),
	})
	if err != nil {
		return nil, err
	}
	return result.Embedding, nil
}

// close ends the embedder, also one that was not opened completely.
func (e *embedder) close() {
	if e == nil {
		return
	}
	if e.core != nil {
		app.CloseWithin(app.StopTimeout, e.core.Close) // the process ends next
	}
	os.RemoveAll(e.dir) // a temporary folder
}
