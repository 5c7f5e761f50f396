package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/imagefile"
	"edgelens/internal/telemetry"
)

// RecognizeFiles recognizes image files, one after the other, by the same path as a server; "-" is stdin. It passes
// each result, or the error in its place, to show. The error has the number of images that were not recognized.
func RecognizeFiles(ctx context.Context, c *config.Config, stdin io.Reader, files []string, options edgelens.Request, show func(file string, result *edgelens.Result, err error) error) error {
	c.Inference.Interpreters, c.Recognize.Slots = 1, 1
	core, err := NewCore(c, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer CloseWithin(StopTimeout, core.Close) // the process ends next
	if err := core.warmUpFor(ctx, options); err != nil && !(options.Model == "" && options.Task != edgelens.TaskEmbedding && c.Recognize.AllowStandIn && StartsWithoutClassifier(err, c)) {
		return err
	}
	failed := 0
	for _, file := range files {
		result, err := recognizeFile(ctx, core.Recognizer, stdin, file, options)
		if err != nil {
			failed++
		}
		if err := show(file, result, err); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d images not recognized", failed, len(files))
	}
	return nil
}

// warmUpFor loads the model of requests with these options.
func (c *Core) warmUpFor(ctx context.Context, options edgelens.Request) error {
	name := options.Model
	switch {
	case name != "":
	case options.Task == edgelens.TaskEmbedding:
		if name = c.embeddingModel; name == "" {
			return nil // the request is refused with what to do
		}
	default:
		return c.WarmUp(ctx)
	}
	_, err := c.Loader.Describe(ctx, name)
	return err
}

func recognizeFile(ctx context.Context, recognizer edgelens.Recognizer, stdin io.Reader, file string, options edgelens.Request) (*edgelens.Result, error) {
	image, err := imagefile.Read(stdin, file)
	if err != nil {
		return nil, err
	}
	req := options
	req.ID, req.Source, req.Image, req.SHA256 = uuid.NewString(), "cli", image, sha256.Sum256(image)
	return recognizer.Recognize(ctx, &req)
}
