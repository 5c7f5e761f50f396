package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // for Resized
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/image/draw"

	"edgelens"
	"edgelens/benchmarks/load"
	"edgelens/benchmarks/made"
	"edgelens/benchmarks/record"
)

// Contender is a service with a model and settings that is compared with others.
type Contender struct {
	Service Service
	// Who is edgelens, or another service.
	Who             string
	Model, Delegate string
	// Beside is the edgelens contender to be compared with; nil for edgelens itself.
	Beside *Contender
}

// caseName is unique within the suite.
func (c *Contender) caseName(image string) string {
	return fmt.Sprintf("%s, %s %s, %s", c.Who, c.Model, c.Delegate, image)
}

// Peers returns the tasks: closed loops, image by image, the contenders directly after one another. All get the same
// bytes from the same client: a form with the field file, at POST /api/recognize.
func Peers(images []Image, contenders []*Contender, connections int) []Task {
	var tasks []Task
	for _, image := range images {
		for _, c := range contenders {
			which := record.Case{Suite: record.SuitePeers, Name: c.caseName(image.Name), Mode: record.ModeClosed, Kind: record.KindSync, Image: image.Name,
				Connections: connections, Service: c.Who, Model: c.Model, Delegate: c.Delegate}
			if c.Beside != nil {
				which.Beside = c.Beside.caseName(image.Name)
			}
			tasks = append(tasks, peerTask(c.Service, which, image))
		}
	}
	return tasks
}

func peerTask(service Service, which record.Case, image Image) Task {
	target := newFormCaller(service, image, which.Connections)
	return Task{Case: which, Do: func(ctx context.Context, round *Round) error {
		defer target.client.CloseIdleConnections() // the next window can be minutes later
		return underLoad(ctx, service, round, func() (*load.Result, error) {
			return load.Closed(ctx, target, which.Connections, round.Window)
		})
	}}
}

// InvokeAlone returns the task of a bare loop of Invoke on every core. It bounds the throughput of any service with
// that model, and so the possible ratio.
func InvokeAlone(model, delegate string, cores int, config PipelineConfig) Task {
	task := ceilingTask(Image{}, cores, func() (runner, error) { return openBareModel(config) })
	task.Case = record.Case{Suite: record.SuitePeers, Name: fmt.Sprintf("Invoke alone, %s %s", model, delegate), Mode: record.ModeCeiling, Kind: record.KindInvoke,
		Connections: cores, Model: model, Delegate: delegate}
	return task
}

// PeerCeilings returns the tasks of the ceiling for each image, measured alongside the services: what they could do
// with only decoding around the model.
func PeerCeilings(images []Image, model, delegate string, cores int, config PipelineConfig) []Task {
	tasks := PipelineTasks(images, cores, false, config)
	for i := range tasks {
		tasks[i].Case.Suite, tasks[i].Case.Model, tasks[i].Case.Delegate = record.SuitePeers, model, delegate
	}
	return tasks
}

// Agree sends every image to two contenders with one model. The error has the images for which their top classes
// differ: they would not do the same work.
func Agree(ctx context.Context, images []Image, one, other *Contender) error {
	for _, image := range images {
		var seen [2]prediction
		for i, c := range []*Contender{one, other} {
			caller := newFormCaller(c.Service, image, 1)
			best, err := caller.best(ctx)
			caller.client.CloseIdleConnections()
			if err != nil {
				return fmt.Errorf("request %s with %s: %w", c.Who, image.Name, err)
			}
			seen[i] = best
		}
		if a, b := seen[0], seen[1]; a.ClassID != b.ClassID {
			return fmt.Errorf("%w: for %s, %s returns class %d (%s, %.2f) with %s, and %s class %d (%s, %.2f); give a clearer image",
				edgelens.ErrInvalid, image.Name, one.Who, a.ClassID, a.Label, a.Probability, one.Model, other.Who, b.ClassID, b.Label, b.Probability)
		}
	}
	return nil
}

// prediction has the members that both services share.
type prediction struct {
	ClassID     int `json:"class_id"`
	Label       string
	Probability float64
}

// formCaller sends an image as a form; it is a load.Target.
type formCaller struct {
	client    *http.Client
	url       string
	mediaType string
	body      []byte
}

func newFormCaller(service Service, image Image, connections int) *formCaller {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, _ := form.CreateFormFile("file", image.Name) // into memory, here and below
	_, _ = part.Write(image.Data)
	_ = form.Close()
	// edgelens would answer from its cache otherwise; others ignore the parameter.
	return &formCaller{NewClient(connections), service.URL() + "/api/recognize?cache=false", form.FormDataContentType(), body.Bytes()}
}

// Do implements load.Target.
func (c *formCaller) Do(ctx context.Context, _, _ int) (string, time.Duration) {
	response, err := c.post(ctx)
	if err != nil {
		return "no answer", 0
	}
	defer response.Body.Close() // read only
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "cut off", 0
	}
	switch {
	case response.StatusCode != http.StatusOK:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 where it is missing
		return strconv.Itoa(response.StatusCode), time.Duration(seconds) * time.Second
	case response.Header.Get("X-Cache") == "HIT":
		return "X-Cache HIT", 0
	}
	return load.Good, 0
}

func (c *formCaller) post(ctx context.Context) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", c.mediaType)
	return c.client.Do(request)
}

// best returns the first prediction.
func (c *formCaller) best(ctx context.Context) (prediction, error) {
	response, err := c.post(ctx)
	if err != nil {
		return prediction{}, err
	}
	defer response.Body.Close() // read only
	var answer struct{ Predictions []prediction }
	if response.StatusCode != http.StatusOK {
		return prediction{}, fmt.Errorf("%w: it returns %d", edgelens.ErrInvalid, response.StatusCode)
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return prediction{}, fmt.Errorf("%w: it does not return JSON: %v", edgelens.ErrInvalid, err)
	}
	if len(answer.Predictions) == 0 {
		return prediction{}, errors.New("it returns no predictions")
	}
	return answer.Predictions[0], nil
}

// Resized returns the image, stretched to that size, as a JPEG of the quality of generated images.
func Resized(original Image, width, height int) (Image, error) {
	decoded, _, err := image.Decode(bytes.NewReader(original.Data))
	if err != nil {
		return Image{}, fmt.Errorf("%w: resize %s: %v; JPEG and PNG can be resized", edgelens.ErrInvalid, original.Name, err)
	}
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(small, small.Bounds(), decoded, decoded.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: made.Quality}); err != nil {
		return Image{}, fmt.Errorf("resize %s: %w", original.Name, err)
	}
	name, _, _ := strings.Cut(original.Name, ".")
	name, _, _ = strings.Cut(name, "_")
	return Image{Name: fmt.Sprintf("%s_%dx%d.jpg", name, width, height), Data: out.Bytes()}, nil
}
