package datasets_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"edgelens"
	"edgelens/learn/datasets"
)

// store keeps one dataset in memory, as far as the Service needs it.
type store struct {
	datasets.Store // panics where the Service needs more
	dataset        *edgelens.Dataset
	examples       []edgelens.Example
	images         map[string][]byte
}

func (s *store) Dataset(_ context.Context, name string) (edgelens.Dataset, error) {
	if s.dataset == nil || s.dataset.Name != name {
		return edgelens.Dataset{}, fmt.Errorf("%w: no dataset", edgelens.ErrNotFound)
	}
	return *s.dataset, nil
}

func (s *store) Add(_ context.Context, of edgelens.Dataset, e edgelens.Example, image []byte) (edgelens.Example, bool, error) {
	if s.dataset == nil {
		s.dataset = &of
	} else if s.dataset.Extractor != of.Extractor {
		return edgelens.Example{}, false, fmt.Errorf("%w: another extractor", edgelens.ErrConflict)
	}
	e.ID, e.Dataset = fmt.Sprint(len(s.examples)+1), of.Name
	s.examples = append(s.examples, e)
	if s.images == nil {
		s.images = map[string][]byte{}
	}
	s.images[e.ID] = image
	return e, false, nil
}

func (s *store) Earlier(_ context.Context, _, sha256 string) (edgelens.Example, bool, error) {
	for _, e := range s.examples {
		if e.SHA256 == sha256 {
			return e, true, nil
		}
	}
	return edgelens.Example{}, false, nil
}

func (s *store) Examples(context.Context, edgelens.ExampleFilter) ([]edgelens.Example, string, error) {
	return s.examples[len(s.examples)-1:], "", nil
}

func (s *store) Example(_ context.Context, _, id string) (edgelens.Example, error) {
	for _, e := range s.examples {
		if e.ID == id {
			return e, nil
		}
	}
	return edgelens.Example{}, edgelens.ErrNotFound
}

func (s *store) Image(_ context.Context, _, id string) ([]byte, error) {
	if image, ok := s.images[id]; ok {
		return image, nil
	}
	return nil, fmt.Errorf("%w: its image was lost", edgelens.ErrNotFound)
}

func (s *store) SetExtractor(_ context.Context, _ string, extractor edgelens.ModelRef) error {
	s.dataset.Extractor = extractor
	return nil
}

func (s *store) Outdated(context.Context, string, int) (page []edgelens.Example, count int, err error) {
	for _, e := range s.examples {
		if e.Extractor != s.dataset.Extractor {
			page = append(page, e)
		}
	}
	return page, len(page), nil
}

func (s *store) SetEmbedding(_ context.Context, _, id string, extractor edgelens.ModelRef, embedding []float32) error {
	for i, e := range s.examples {
		if e.ID == id {
			s.examples[i].Extractor, s.examples[i].Embedding = extractor, embedding
			return nil
		}
	}
	return edgelens.ErrNotFound
}

// results are those of a history by id; the images are those of jobs.
type results struct {
	jobs   map[string]string
	images map[string]string
}

func (r results) Result(_ context.Context, id string) (edgelens.StoredResult, error) {
	job, ok := r.jobs[id]
	if !ok {
		return edgelens.StoredResult{}, fmt.Errorf("%w: no result", edgelens.ErrNotFound)
	}
	return edgelens.StoredResult{ID: id, JobID: job}, nil
}

func (r results) Image(_ context.Context, job string) ([]byte, error) {
	image, ok := r.images[job]
	if !ok {
		return nil, edgelens.ErrNotFound
	}
	return []byte(image), nil
}

// extractor is a recognizer with a model of task embedding.
type extractor struct {
	digest string
	// none: it gives no embedding.
	none bool
	last edgelens.Request
}

func (x *extractor) Recognize(_ context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	x.last = *req
	if string(req.Image) == "broken" {
		return nil, edgelens.ErrBadImage
	}
	name := req.Model
	if name == "" {
		name = "default"
	}
	view := req.View.Or(edgelens.View{Fit: edgelens.FitCenter})
	result := &edgelens.Result{Model: edgelens.ModelRef{Name: name, Digest: x.digest}, View: edgelens.ShownView{View: view, Count: 1}}
	if !x.none {
		result.Embedding = []float32{1, 0}
	}
	return result, nil
}

func specOf(image, label string, change ...func(*edgelens.ExampleSpec)) edgelens.ExampleSpec {
	spec := edgelens.ExampleSpec{
		Dataset: "gate", Label: label,
		Request: &edgelens.Request{ID: "r", Owner: "key", Image: []byte(image), SHA256: sha256.Sum256([]byte(image))},
	}
	for _, c := range change {
		c(&spec)
	}
	return spec
}

// The first example fixes the extractor and the view, with what the request has left open; later ones have the same.
func TestFirstExampleFixesExtractorAndView(t *testing.T) {
	s, x := &store{}, &extractor{digest: "1"}
	service := datasets.New(s, results{}, x)
	first := specOf("a", "open", func(spec *edgelens.ExampleSpec) {
		spec.Request.View.Region = edgelens.Region{X: 0.5, Width: 0.5, Height: 1}
	})
	e, existing, err := service.Add(t.Context(), first)
	if err != nil || existing {
		t.Fatal(existing, err)
	}
	sum := sha256.Sum256([]byte("a"))
	if e.SHA256 != hex.EncodeToString(sum[:]) || e.Bytes != 1 || e.Owner != "key" || e.Label != "open" || len(e.Embedding) != 2 || x.last.Task != edgelens.TaskEmbedding {
		t.Errorf("%+v by %+v", e, x.last)
	}
	want := edgelens.View{Fit: edgelens.FitCenter, Region: edgelens.Region{X: 0.5, Width: 0.5, Height: 1}}
	if s.dataset.View != want || s.dataset.Extractor != (edgelens.ModelRef{Name: "default", Digest: "1"}) {
		t.Errorf("dataset %+v", *s.dataset)
	}
	if _, _, err := service.Add(t.Context(), specOf("b", "closed")); err != nil {
		t.Fatal(err)
	}
	if x.last.View != want || x.last.Model != "default" {
		t.Errorf("the second by %+v", x.last)
	}
	x.last = edgelens.Request{}
	if again, existing, err := service.Add(t.Context(), specOf("b", "closed")); err != nil || !existing || again.ID != "2" || x.last.Task != "" {
		t.Errorf("again: %+v, existing %v, %v; asked for %+v", again, existing, err, x.last)
	}
}

func TestAddRefuses(t *testing.T) {
	kept := results{jobs: map[string]string{"kept": "job", "dropped": "other", "sync": ""}, images: map[string]string{"job": "an image"}}
	fromResult := func(id string) func(*edgelens.ExampleSpec) {
		return func(spec *edgelens.ExampleSpec) { spec.Result, spec.Request.Image = id, nil }
	}
	for name, test := range map[string]struct {
		change func(*edgelens.ExampleSpec)
		broken extractor
		want   error
		says   string
	}{
		"a bad name":          {func(spec *edgelens.ExampleSpec) { spec.Dataset = "../gate" }, extractor{}, edgelens.ErrInvalid, "name"},
		"no label":            {func(spec *edgelens.ExampleSpec) { spec.Label = "" }, extractor{}, edgelens.ErrInvalid, "label"},
		"a blank label":       {func(spec *edgelens.ExampleSpec) { spec.Label = " open" }, extractor{}, edgelens.ErrInvalid, "blanks"},
		"a control character": {func(spec *edgelens.ExampleSpec) { spec.Label = "op\nen" }, extractor{}, edgelens.ErrInvalid, "printable"},
		"a long label":        {func(spec *edgelens.ExampleSpec) { spec.Label = strings.Repeat("o", 201) }, extractor{}, edgelens.ErrInvalid, "200"},
		"the reserved label":  {func(spec *edgelens.ExampleSpec) { spec.Label = "Unknown" }, extractor{}, edgelens.ErrInvalid, "reserved"},
		"another extractor":   {func(spec *edgelens.ExampleSpec) { spec.Request.Model = "other" }, extractor{}, edgelens.ErrConflict, "extractor"},
		"another fit":         {func(spec *edgelens.ExampleSpec) { spec.Request.View.Fit = edgelens.FitPad }, extractor{}, edgelens.ErrConflict, "fit"},
		"another region":      {func(spec *edgelens.ExampleSpec) { spec.Request.View.Region.Width = 0.5 }, extractor{}, edgelens.ErrConflict, "region"},
		"another version":     {nil, extractor{digest: "2"}, edgelens.ErrConflict, "extractor"},
		"a classifier":        {nil, extractor{digest: "1", none: true}, edgelens.ErrModel, "embedding"},
		"a broken image":      {func(spec *edgelens.ExampleSpec) { spec.Request.Image = []byte("broken") }, extractor{digest: "1"}, edgelens.ErrBadImage, "embedding"},
		"no image":            {func(spec *edgelens.ExampleSpec) { spec.Request.Image = nil }, extractor{}, edgelens.ErrNoImage, ""},
		"no result":           {fromResult("none"), extractor{}, edgelens.ErrNotFound, "no result"},
		"no image is kept":    {fromResult("dropped"), extractor{}, edgelens.ErrNotFound, "ledger.keep_images"},
		"a result without it": {fromResult("sync"), extractor{}, edgelens.ErrNotFound, "ledger.keep_images"},
	} {
		t.Run(name, func(t *testing.T) {
			s, x := &store{}, &extractor{digest: "1"}
			service := datasets.New(s, kept, x)
			if _, _, err := service.Add(t.Context(), specOf("first", "open")); err != nil {
				t.Fatal(err)
			}
			*x = test.broken
			spec := specOf("a", "open")
			if test.change != nil {
				test.change(&spec)
			}
			_, _, err := service.Add(t.Context(), spec)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v with %q", err, test.want, test.says)
			}
			if len(s.examples) != 1 {
				t.Errorf("%d examples", len(s.examples))
			}
		})
	}
}

func TestAddFromResult(t *testing.T) {
	s := &store{}
	service := datasets.New(s, results{jobs: map[string]string{"id": "job"}, images: map[string]string{"job": "an image"}}, &extractor{digest: "1"})
	spec := specOf("", "open", func(spec *edgelens.ExampleSpec) { spec.Result = "id" })
	e, _, err := service.Add(t.Context(), spec)
	sum := sha256.Sum256([]byte("an image"))
	if err != nil || e.Result != "id" || e.SHA256 != hex.EncodeToString(sum[:]) || string(s.images[e.ID]) != "an image" {
		t.Errorf("%+v, %v", e, err)
	}
}

// A dataset has at most as many labels as a head.
func TestTooManyLabels(t *testing.T) {
	s := &store{dataset: &edgelens.Dataset{Name: "gate", Extractor: edgelens.ModelRef{Name: "default", Digest: "1"}}}
	for i := range 1000 {
		s.dataset.Labels = append(s.dataset.Labels, edgelens.LabelCount{Label: fmt.Sprint(i), Count: 1})
	}
	service := datasets.New(s, results{}, &extractor{digest: "1"})
	if _, _, err := service.Add(t.Context(), specOf("a", "one more")); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
	if _, _, err := service.Add(t.Context(), specOf("a", "999")); err != nil {
		t.Errorf("a known label: %v", err)
	}
}

// All embeddings are made anew by another version of the extractor, or by another one; those that are not outdated stay.
func TestEmbedAnew(t *testing.T) {
	s, x := &store{}, &extractor{digest: "1"}
	service := datasets.New(s, results{}, x)
	for _, image := range []string{"a", "b", "c"} {
		if _, _, err := service.Add(t.Context(), specOf(image, "open")); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		digest, extractor string
		want              int
	}{{"1", "", 0}, {"2", "", 3}, {"2", "", 0}, {"2", "other", 3}} {
		x.digest = step.digest
		progress, err := service.Embed(t.Context(), "gate", step.extractor, edgelens.Request{ID: "r"})
		if err != nil || progress != (edgelens.EmbeddingProgress{Done: step.want}) {
			t.Errorf("%+v: %+v, %v", step, progress, err)
		}
		for _, e := range s.examples {
			if e.Extractor != s.dataset.Extractor || e.Extractor.Digest != step.digest {
				t.Errorf("%+v: %+v of %+v", step, e.Extractor, s.dataset.Extractor)
			}
		}
	}
	if x.last.View.Fit != edgelens.FitCenter || x.last.Priority != edgelens.PriorityBulk {
		t.Errorf("by %+v", x.last)
	}
	if _, err := service.Embed(t.Context(), "none", "", edgelens.Request{}); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	delete(s.images, "3")
	x.digest = "3"
	if _, err := service.Embed(t.Context(), "gate", "", edgelens.Request{}); !errors.Is(err, edgelens.ErrNotFound) || !strings.Contains(err.Error(), "lost") {
		t.Errorf("a lost image: %v", err)
	}
}

// A label is the same in each form of Unicode: that of macOS has "ö" in two characters.
func TestLabelsInForms(t *testing.T) {
	s := &store{}
	service := datasets.New(s, results{}, &extractor{})
	for image, label := range map[string]string{"a": "ge\u00f6ffnet", "b": "geo\u0308ffnet"} {
		if e, _, err := service.Add(t.Context(), specOf(image, label)); err != nil || e.Label != "ge\u00f6ffnet" {
			t.Errorf("%q became %q, %v", label, e.Label, err)
		}
	}
}

func TestRelabelChecksLabel(t *testing.T) {
	service := datasets.New(&store{}, results{}, &extractor{})
	if _, err := service.Relabel(t.Context(), "gate", "1", "unknown"); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}
