package head_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/softmax"
)

func gate() *head.Head {
	p := softmax.New(2, 3)
	copy(p.Row(0), []float64{1, 0, 0})
	copy(p.Row(1), []float64{0, 1, 0})
	return &head.Head{
		Name: "gate", Version: 1, Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}, Labels: []string{"closed", "open"},
		View:   edgelens.View{Fit: edgelens.FitStretch, Region: edgelens.Region{X: 0.25, Y: 0.5, Width: 0.5, Height: 0.5}},
		Params: p, Scale: 10, Threshold: 0.6, Method: head.Imprinting, Examples: 8, CreatedAt: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC),
	}
}

func TestStoredForm(t *testing.T) {
	h := gate()
	data, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := head.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, read) {
		t.Errorf("the head read back is %+v, not %+v", read, h)
	}
	first, _ := h.Digest()
	second, _ := read.Digest()
	if first == "" || first != second {
		t.Errorf("the digests are %q and %q", first, second)
	}
}

func TestProbabilities(t *testing.T) {
	p := gate().Probabilities([]float32{0, 1, 0})
	if p[1] < 0.99 || p[0]+p[1] != 1 {
		t.Errorf("the probabilities of an open gate are %v", p)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, change := range map[string]func(*head.Head){
		"name":       func(h *head.Head) { h.Name = "../gate" },
		"version":    func(h *head.Head) { h.Version = 0 },
		"extractor":  func(h *head.Head) { h.Extractor.Digest = "" },
		"one class":  func(h *head.Head) { h.Labels = h.Labels[:1] },
		"same label": func(h *head.Head) { h.Labels[1] = h.Labels[0] },
		"reserved":   func(h *head.Head) { h.Labels[1] = head.Unknown },
		"shape":      func(h *head.Head) { h.Params.Values = h.Params.Values[1:] },
		"scale":      func(h *head.Head) { h.Scale = 0 },
		"threshold":  func(h *head.Head) { h.Threshold = 1.1 },
		"method":     func(h *head.Head) { h.Method = "guess" },
	} {
		h := gate()
		change(h)
		if err := h.Check(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: Check returns %v", name, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	data, err := gate().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"name":"gate","labels":["a","b"],"features":9223372036854775807,"values":"AAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := head.Unmarshal(data)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("the error %v is no ErrInvalid", err)
			}
			return
		}
		h.Probabilities(make([]float32, h.Params.Features))
	})
}
