package edgelens_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgelens"
)

func TestSentinelsHaveDistinctCodes(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]error{}
	for _, sentinel := range edgelens.Sentinels() {
		code := edgelens.Code(sentinel)
		if !form.MatchString(code) || code == "ok" || code == "internal" {
			t.Errorf("the code of %q is %q", sentinel, code)
		}
		if other, taken := seen[code]; taken {
			t.Errorf("%q and %q have the same code %q", sentinel, other, code)
		}
		seen[code] = sentinel
	}
}

func TestCode(t *testing.T) {
	busy := &edgelens.Busy{RetryAfter: time.Second, Reason: "full"}
	tests := map[string]struct {
		err  error
		want string
	}{
		"nil":                    {nil, "ok"},
		"not ours":               {errors.New("boom"), "internal"},
		"same text, other error": {errors.New(edgelens.ErrBusy.Error()), "internal"},
		"busy":                   {busy, "busy"},
		"wrapped busy":           {fmt.Errorf("wait for a worker: %w", busy), "busy"},
		"joined":                 {errors.Join(errors.New("boom"), edgelens.ErrModel), "model_unusable"},
	}
	for _, sentinel := range edgelens.Sentinels() {
		code := edgelens.Code(sentinel)
		tests["wrapped "+code] = struct {
			err  error
			want string
		}{fmt.Errorf("serve: %w", fmt.Errorf("decode: %w: boom", sentinel)), code}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := edgelens.Code(test.err); got != test.want {
				t.Errorf("code %q, want %q", got, test.want)
			}
		})
	}
}

func TestBusyIsErrBusyAlone(t *testing.T) {
	err := fmt.Errorf("wait for a worker: %w", &edgelens.Busy{RetryAfter: time.Second, Reason: "full"})
	for _, sentinel := range edgelens.Sentinels() {
		if got, want := errors.Is(err, sentinel), sentinel == edgelens.ErrBusy; got != want {
			t.Errorf("is %q: %v, want %v", sentinel, got, want)
		}
	}
	var busy *edgelens.Busy
	if !errors.As(err, &busy) || busy.RetryAfter != time.Second || busy.Error() != "full" {
		t.Errorf("got %+v back, want the wrapped error", busy)
	}
}

// The kinds of ErrConflict: each has a text of its own.
func TestKindsOfConflict(t *testing.T) {
	for _, kind := range []error{edgelens.ErrFinished, edgelens.ErrInUse} {
		err := fmt.Errorf("do this: %w", kind)
		if !errors.Is(err, edgelens.ErrConflict) || strings.Contains(err.Error(), edgelens.ErrConflict.Error()) {
			t.Errorf("%v", err)
		}
		for _, other := range edgelens.Sentinels() {
			if got, want := errors.Is(err, other), other == kind || other == edgelens.ErrConflict; got != want {
				t.Errorf("%v is %q: %v, want %v", err, other, got, want)
			}
		}
		if errors.Is(fmt.Errorf("do this: %w", edgelens.ErrConflict), kind) {
			t.Errorf("every conflict is %q", kind)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	newResult := func() *edgelens.Result {
		return &edgelens.Result{
			RequestID:   "id",
			Model:       edgelens.ModelRef{Name: "fake", Digest: "sha256:01"},
			Predictions: []edgelens.Prediction{{ClassID: 1, Label: "one", Probability: .5}, {ClassID: 2, Label: "two", Probability: .25}},
			Embedding:   []float32{.6, .8},
			Image:       edgelens.ImageInfo{Width: 3, Height: 4, Format: "png", SHA256: "01"},
			Quality:     &edgelens.Quality{Verdict: edgelens.QualityOK, Score: .75, Usable: true},
			Timings:     edgelens.Timings{Total: time.Second},
			Warnings:    []string{"careful"},
		}
	}
	original := newResult()
	clone := original.Clone()
	if !reflect.DeepEqual(clone, original) {
		t.Fatalf("the clone is %+v, want %+v", clone, original)
	}
	clone.Predictions[0].Label = "changed"
	clone.Predictions = append(clone.Predictions[:1], edgelens.Prediction{Label: "changed"})
	clone.Embedding[0] = 1
	clone.Quality.Verdict = "changed"
	clone.Warnings[0] = "changed"
	clone.Model.Name, clone.Image.Format, clone.Cached = "changed", "changed", true
	if want := newResult(); !reflect.DeepEqual(original, want) {
		t.Errorf("after the clone was changed, the original is %+v, want %+v", original, want)
	}
}

// TestCloneCopiesEveryReference fails when a field is added to Result that Clone
// would share.
func TestCloneCopiesEveryReference(t *testing.T) {
	known := map[string]bool{"Result.Predictions": true, "Result.Embedding": true, "Result.Quality": true, "Result.Warnings": true} // those that Clone copies
	var look func(path string, typ reflect.Type)
	look = func(path string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Struct:
			for i := range typ.NumField() {
				look(path+"."+typ.Field(i).Name, typ.Field(i).Type)
			}
		case reflect.Slice:
			if !known[path] {
				t.Errorf("%s is shared by clones: copy it in Clone", path)
			}
			look(path+"[]", typ.Elem())
		case reflect.Pointer:
			if !known[path] {
				t.Errorf("%s is shared by clones: copy it in Clone", path)
			}
			look(path, typ.Elem())
		case reflect.Map, reflect.Interface, reflect.Chan, reflect.Func:
			t.Errorf("%s is shared by clones: copy it in Clone", path)
		}
	}
	look("Result", reflect.TypeFor[edgelens.Result]())
}
