package runner

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/benchmarks/accuracy"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/models"
	"edgelens/preprocess"
)

// coreKey are the settings of a variant that a core has; the rest is in its requests.
type coreKey struct {
	requantize bool
	delegate   string
	reduceJPEG float64
}

func keyOf(v accuracy.Variant) coreKey { return coreKey{v.Requantize, v.Delegate, v.ReduceJPEG} }

// cores answers by the path of the service, in this process.
type cores struct {
	byKey    map[coreKey]*app.Core
	variants []accuracy.Variant
}

// newCores makes the cores of the variants. Nothing is loaded yet.
func newCores(c config.Config, variants []accuracy.Variant) (*cores, error) {
	made := &cores{byKey: map[coreKey]*app.Core{}, variants: variants}
	for _, v := range variants {
		key := keyOf(v)
		if made.byKey[key] != nil {
			continue
		}
		settings := c
		settings.Model = variants[0].Model
		settings.Inference.Requantize, settings.Inference.Delegate, settings.Preprocess.ReduceJPEG = key.requantize, key.delegate, key.reduceJPEG
		settings.Cache.MaxEntries, settings.Recognize.AllowStandIn = 0, false
		core, err := app.NewCore(&settings, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry())
		if err != nil {
			return nil, errors.Join(err, made.close())
		}
		made.byKey[key] = core
	}
	return made, nil
}

// describe loads the model of a variant, and fills in what is in use.
func (c *cores) describe(ctx context.Context, v *accuracy.Variant) (*models.Spec, error) {
	spec, err := c.byKey[keyOf(*v)].Loader.Describe(ctx, v.Model)
	if err != nil {
		return nil, fmt.Errorf("load the model of %s: %w", v.Name, err)
	}
	if spec.Task != edgelens.TaskClassification {
		return nil, fmt.Errorf("%w: the model %s has the task %s; the accuracy of classifiers alone can be measured", edgelens.ErrInvalid, spec.Name, spec.Task)
	}
	v.Model, v.Digest, v.Runtime = spec.Name, spec.Digest, spec.Delegate
	return spec, nil
}

// Answer implements accuracy.Answerer. It asks again where the wait for an interpreter is predicted to be too long.
func (c *cores) Answer(ctx context.Context, variant int, image []byte) (accuracy.Reply, error) {
	v := c.variants[variant]
	request := edgelens.Request{
		ID: uuid.NewString(), Source: "cli", Image: image, SHA256: sha256.Sum256(image), Model: v.Model,
		TopK: accuracy.TopK, View: edgelens.View{Fit: v.Fit}, NoCache: true,
	}
	for begin := time.Now(); ; {
		result, err := c.byKey[keyOf(v)].Recognizer.Recognize(ctx, &request)
		if busy := (*edgelens.Busy)(nil); errors.As(err, &busy) {
			if time.Since(begin) > maxRetry {
				return accuracy.Reply{}, fmt.Errorf("%w: %w; raise --recognize-timeout", edgelens.ErrDeadline, err)
			}
			select {
			case <-time.After(max(busy.RetryAfter, minRetry)):
				continue
			case <-ctx.Done():
			}
		}
		if err != nil {
			return accuracy.Reply{}, err
		}
		return accuracy.Reply{Predictions: result.Predictions, Took: result.Timings.Total - result.Timings.Queue}, nil
	}
}

// minRetry is the minimum time until an image is tried again, and maxRetry how long it is.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = time.Minute
)

func (c *cores) close() error {
	var errs []error
	for _, core := range c.byKey {
		errs = append(errs, app.CloseWithin(app.StopTimeout, core.Close))
	}
	return errors.Join(errs...)
}

// uprights decodes images for frames, with the decoders of the service.
type uprights struct{ preprocessor *preprocess.Preprocessor }

// maxUpright is the maximum width and height of a decoded image in pixels; larger ones are made smaller.
const maxUpright = 4096

// Upright implements accuracy.Decoder.
func (u uprights) Upright(encoded []byte) (accuracy.Pixels, error) {
	width, height, err := u.preprocessor.UprightSize(encoded)
	if err != nil {
		return accuracy.Pixels{}, err
	}
	if longer := max(width, height); longer > maxUpright {
		scale := func(side int) int { return max(1, int(math.Round(float64(side)*maxUpright/float64(longer)))) }
		width, height = scale(width), scale(height)
	}
	spec := models.InputSpec{ // each element is the value of its pixel
		TensorSpec:    models.TensorSpec{Shape: []int{1, height, width, 3}, DType: models.Uint8, Scale: 1},
		Normalization: models.Uniform(0, 1), Width: width, Height: height, Channels: 3,
	}
	pixels := accuracy.Pixels{Width: width, Height: height, RGB: make([]byte, spec.Bytes())}
	_, _, err = u.preprocessor.Tensor(pixels.RGB, encoded, spec)
	return pixels, err
}
