package main

import (
	"context"
	"crypto/sha256"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
)

// extractor is how the model of the cost tables is named.
const extractor = "extractor"

// embedder gives embeddings by the path of a server.
type embedder struct {
	core *app.Core
	dir  string
}

// openEmbedder opens the default model of task embedding of a folder of models.
func openEmbedder(ctx context.Context, models string) (*embedder, error) {
	dir, err := os.MkdirTemp("", "edgelens-federated-*")
	if err != nil {
		return nil, err
	}
	e := &embedder{dir: dir}
	c, err := config.Load(pflag.NewFlagSet("federated", pflag.ContinueOnError), []string{"EDGELENS_DATA_DIR=" + dir, "EDGELENS_MODELS_DIR=" + models})
	if err != nil {
		return e, err
	}
	c.Inference.Interpreters, c.Recognize.Slots = 1, 1
	if e.core, err = app.NewCore(c, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry()); err != nil {
		return e, err
	}
	return e, e.core.WarmUp(ctx)
}

// embed returns the embedding of an encoded image.
func (e *embedder) embed(ctx context.Context, image []byte) ([]float32, error) {
	result, err := e.core.Recognizer.Recognize(ctx, &edgelens.Request{
		ID: uuid.NewString(), Source: "cli", Task: edgelens.TaskEmbedding, Image: image, SHA256: sha256.Sum256(image),
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
