package accuracy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/clip"
)

// Target is a running service. It is an Answerer.
type Target struct {
	// Base is the address, such as "http://127.0.0.1:8080".
	Base     string
	Client   *http.Client
	Variants []Variant
}

// maxAnswer is the maximum size of an answer in bytes.
const maxAnswer = 16 << 20

// The wait where a service does not name one, the maximum that is kept, and how long an image may be refused.
const (
	retryAfter    = time.Second
	maxRetryAfter = time.Minute
	maxBusy       = 5 * time.Minute
)

// targetAnswer is what is read of an answer; a problem has the code.
type targetAnswer struct {
	Model struct {
		Name   string `json:"name"`
		Digest string `json:"digest"`
	} `json:"model"`
	Predictions []struct {
		ClassID     int     `json:"class_id"`
		Label       string  `json:"label"`
		Probability float64 `json:"probability"`
	} `json:"predictions"`
	Timings struct {
		Queue float64 `json:"queue"`
		Total float64 `json:"total"`
	} `json:"timings_ms"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Answer implements Answerer. It waits while the service is busy.
func (t Target) Answer(ctx context.Context, variant int, encoded []byte) (Reply, error) {
	v := t.Variants[variant]
	a, err := t.recognize(ctx, v.Model, v.Fit, TopK, encoded)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Took: time.Duration((a.Timings.Total - a.Timings.Queue) * float64(time.Millisecond))}
	for _, p := range a.Predictions {
		reply.Predictions = append(reply.Predictions, edgelens.Prediction{ClassID: p.ClassID, Label: p.Label, Probability: p.Probability})
	}
	return reply, nil
}

func (t Target) recognize(ctx context.Context, model string, fit edgelens.Fit, topK int, encoded []byte) (targetAnswer, error) {
	query := url.Values{"top_k": {strconv.Itoa(topK)}, "cache": {"false"}}
	if model != "" {
		query.Set("model", model)
	}
	if fit != "" {
		query.Set("fit", string(fit))
	}
	for begin := time.Now(); ; {
		a, wait, err := t.send(ctx, "/api/recognize?"+query.Encode(), encoded)
		if err != nil || wait == 0 {
			return a, err
		}
		if time.Since(begin) > maxBusy {
			return a, fmt.Errorf("%w: the service at %s accepts no image for %v; continue with --resume when it does", edgelens.ErrBusy, t.Base, maxBusy)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return a, context.Cause(ctx)
		}
	}
}

// send posts an image. A wait that is not 0 is that until it is worth sending it again.
func (t Target) send(ctx context.Context, path string, encoded []byte) (a targetAnswer, wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(t.Base, "/")+path, bytes.NewReader(encoded))
	if err != nil {
		return a, 0, fmt.Errorf("%w: --target: %w", edgelens.ErrInvalid, err)
	}
	request.Header.Set("Content-Type", "application/octet-stream") // the service detects the type from the bytes
	response, err := t.Client.Do(request)
	if err != nil {
		return a, 0, fmt.Errorf("ask the service at %s: %w", t.Base, err)
	}
	defer response.Body.Close() // read only
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return a, 0, fmt.Errorf("ask the service at %s: %w", t.Base, err)
	}
	problem := json.Unmarshal(data, &a)
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && slices.Contains(passing, a.Code):
		return a, waitOf(response.Header.Get("Retry-After")), nil
	case status == http.StatusOK && problem != nil:
		return a, 0, fmt.Errorf("%w: the service at %s answers no JSON as edgelens does: %w", edgelens.ErrInvalid, t.Base, problem)
	case status == http.StatusOK:
		return a, 0, nil
	}
	return a, 0, t.refused(response.StatusCode, a)
}

// passing are the codes of a 503 that is over soon; a proxy sends none.
var passing = []string{edgelens.Code(edgelens.ErrBusy), edgelens.Code(edgelens.ErrStopping), ""}

// waitOf reads a Retry-After in seconds.
func waitOf(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	return retryAfter
}

// refused is the error for an answer with another status than 200.
func (t Target) refused(status int, a targetAnswer) error {
	for _, sentinel := range edgelens.Sentinels() {
		if edgelens.Code(sentinel) == a.Code {
			detail := strings.TrimPrefix(a.Detail, sentinel.Error()+": ")
			return fmt.Errorf("the service at %s answers %d: %w: %s", t.Base, status, sentinel, clip.Line(detail, 200))
		}
	}
	return fmt.Errorf("%w: the service at %s answers %d to an image; is it edgelens?", edgelens.ErrInvalid, t.Base, status)
}

// Describe returns the number of classes of a variant's model and their labels, from the service's answers to generated
// images, and sets the variant's Model and Digest.
func (t Target) Describe(ctx context.Context, variant int) (classes int, labels []string, err error) {
	v := &t.Variants[variant]
	found := map[int]string{}
	for level := range 4 { // an answer has at most MaxTopK classes, those of another image are others
		a, err := t.recognize(ctx, v.Model, v.Fit, edgelens.MaxTopK, generated(level))
		if err != nil {
			return 0, nil, err
		}
		for _, p := range a.Predictions {
			if p.ClassID < 0 || p.ClassID > maxClass {
				return 0, nil, fmt.Errorf("%w: the service at %s answers class %d", edgelens.ErrInvalid, t.Base, p.ClassID)
			}
			found[p.ClassID] = p.Label
			classes = max(classes, p.ClassID+1)
		}
		v.Model, v.Digest = cmp.Or(v.Model, a.Model.Name), a.Model.Digest
		if len(a.Predictions) < edgelens.MaxTopK {
			break
		}
	}
	if classes == 0 {
		return 0, nil, fmt.Errorf("%w: the service at %s answers without predictions", edgelens.ErrInvalid, t.Base)
	}
	labels = make([]string, classes)
	for class, label := range found {
		labels[class] = label
	}
	return classes, labels, nil
}

// maxClass is more than any model has.
const maxClass = 1_000_000

// generated is an image of stripes.
func generated(level int) []byte {
	dark := color.RGBA{uint8(level * 80), uint8(200 - level*60), uint8(level * 50), 255}
	stripes := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		stripes.SetRGBA(i%64, i/64, color.RGBA{255, 255, 255, 255})
		if (i>>(2+level))%2 == 0 {
			stripes.SetRGBA(i%64, i/64, dark)
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, stripes) // into memory, of a size that PNG has
	return out.Bytes()
}

// CheckTarget returns an ErrInvalid for choices that a request to a service cannot make.
func (c Choices) CheckTarget(defaults Choices) error {
	var flags []string
	for _, choice := range []struct {
		flag  string
		given bool
	}{
		{"--requantize", !slices.Equal(c.Requantize, defaults.Requantize)},
		{"--delegate", !slices.Equal(c.Delegates, defaults.Delegates)},
		{"--reduce-jpeg", !slices.Equal(c.ReduceJPEG, defaults.ReduceJPEG)},
	} {
		if choice.given {
			flags = append(flags, choice.flag)
		}
	}
	if flags == nil {
		return nil
	}
	return fmt.Errorf("%w: %s cannot be varied with --target: these are settings of the service; leave out one or the other", edgelens.ErrInvalid, strings.Join(flags, ", "))
}
