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
	"edgelens/benchmarks/record"
)

// Contender is a service with a model and settings that is measured beside others.
type Contender struct {
	Service Service
	// Who is edgelens, or another.
	Who             string
	Model, Delegate string
	// Beside is ours that it is to be compared with; nil for one of ours.
	Beside *Contender
}

// caseName is unique within the suite.
func (c *Contender) caseName(picture string) string {
	return fmt.Sprintf("%s, %s %s, %s", c.Who, c.Model, c.Delegate, picture)
}

// Peers returns the tasks: closed loops, picture by picture, the contenders one
// right after the other. All are asked by the same client with the same bytes:
// a form with the field file, at POST /api/recognize.
func Peers(pictures []Picture, contenders []*Contender, connections int) []Task {
	var tasks []Task
	for _, picture := range pictures {
		for _, c := range contenders {
			which := record.Case{Suite: record.SuitePeers, Name: c.caseName(picture.Name), Mode: record.ModeClosed, Kind: record.KindSync, Picture: picture.Name,
				Connections: connections, Service: c.Who, Model: c.Model, Delegate: c.Delegate}
			if c.Beside != nil {
				which.Beside = c.Beside.caseName(picture.Name)
			}
			tasks = append(tasks, peerTask(c.Service, which, picture))
		}
	}
	return tasks
}

func peerTask(service Service, which record.Case, picture Picture) Task {
	target := newFormCaller(service, picture, which.Connections)
	return Task{Case: which, Do: func(ctx context.Context, round *Round) error {
		defer target.client.CloseIdleConnections() // the next window may be minutes away
		return underLoad(ctx, service, round, func() (*load.Result, error) {
			return load.Closed(ctx, target, which.Connections, round.Window)
		})
	}}
}

// InvokeAlone returns the task of a bare loop of Invoke on every core. No service
// can do more with that model: how many times another's throughput ours can be
// at most follows from it.
func InvokeAlone(model, delegate string, cores int, config PipelineConfig) Task {
	task := ceilingTask(Picture{}, cores, func() (runner, error) { return openBareModel(config) })
	task.Case = record.Case{Suite: record.SuitePeers, Name: fmt.Sprintf("Invoke alone, %s %s", model, delegate), Mode: record.ModeCeiling, Kind: record.KindInvoke,
		Connections: cores, Model: model, Delegate: delegate}
	return task
}

// PeerCeilings returns the tasks of the ceiling for each picture, measured beside
// the services: what they could do if there were nothing around the model but
// decoding.
func PeerCeilings(pictures []Picture, model, delegate string, cores int, config PipelineConfig) []Task {
	tasks := PipelineTasks(pictures, cores, false, config)
	for i := range tasks {
		tasks[i].Case.Suite, tasks[i].Case.Model, tasks[i].Case.Delegate = record.SuitePeers, model, delegate
	}
	return tasks
}

// Agree asks two contenders with one model about every picture. The error says
// where they see different things: they would not do the same work.
func Agree(ctx context.Context, pictures []Picture, one, other *Contender) error {
	for _, picture := range pictures {
		var seen [2]prediction
		for i, c := range []*Contender{one, other} {
			caller := newFormCaller(c.Service, picture, 1)
			best, err := caller.best(ctx)
			caller.client.CloseIdleConnections()
			if err != nil {
				return fmt.Errorf("ask %s about %s: %w", c.Who, picture.Name, err)
			}
			seen[i] = best
		}
		if a, b := seen[0], seen[1]; a.ClassID != b.ClassID {
			return fmt.Errorf("%w: in %s %s sees class %d (%s, %.2f) with %s, and %s class %d (%s, %.2f); give a picture that is clearer",
				edgelens.ErrInvalid, picture.Name, one.Who, a.ClassID, a.Label, a.Probability, one.Model, other.Who, b.ClassID, b.Label, b.Probability)
		}
	}
	return nil
}

// prediction is what both services call one.
type prediction struct {
	ClassID     int `json:"class_id"`
	Label       string
	Probability float64
}

// formCaller sends a picture as a form; it is a load.Target.
type formCaller struct {
	client    *http.Client
	url       string
	mediaType string
	body      []byte
}

func newFormCaller(service Service, picture Picture, connections int) *formCaller {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, _ := form.CreateFormFile("file", picture.Name) // into memory, here and below
	_, _ = part.Write(picture.Data)
	_ = form.Close()
	// Ours would answer from its cache otherwise; others do not know the word.
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
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 where it does not say
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
		return prediction{}, fmt.Errorf("%w: it answers %d", edgelens.ErrInvalid, response.StatusCode)
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return prediction{}, fmt.Errorf("%w: it gives no JSON: %v", edgelens.ErrInvalid, err)
	}
	if len(answer.Predictions) == 0 {
		return prediction{}, errors.New("it sees nothing")
	}
	return answer.Predictions[0], nil
}

// Resized returns the picture, stretched to that size, as a JPEG of the quality
// of the pictures that are made.
func Resized(picture Picture, width, height int) (Picture, error) {
	decoded, _, err := image.Decode(bytes.NewReader(picture.Data))
	if err != nil {
		return Picture{}, fmt.Errorf("%w: resize %s: %v; JPEG and PNG can be resized", edgelens.ErrInvalid, picture.Name, err)
	}
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(small, small.Bounds(), decoded, decoded.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: madeQuality}); err != nil {
		return Picture{}, fmt.Errorf("resize %s: %w", picture.Name, err)
	}
	name, _, _ := strings.Cut(picture.Name, ".")
	name, _, _ = strings.Cut(name, "_")
	return Picture{Name: fmt.Sprintf("%s_%dx%d.jpg", name, width, height), Data: out.Bytes()}, nil
}
