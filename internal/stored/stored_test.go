package stored_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/stored"
)

// fill sets every field to a value that is not zero, so that a field which the stored
// form lacks is noticed.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 4, 10, 8, 0, 0, 123456000, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.25)
	default:
		panic(v.Kind())
	}
}

func TestResult(t *testing.T) {
	var result edgelens.Result
	fill(reflect.ValueOf(&result).Elem())
	text, err := stored.MarshalResult(&result)
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "testdata/result.json", text)
	back, err := stored.UnmarshalResult(text)
	if err != nil || !reflect.DeepEqual(back, &result) {
		t.Errorf("%+v, %v, want %+v", back, err, result)
	}
	if text, err := stored.MarshalResult(nil); err != nil || string(text) != "null" {
		t.Errorf("nil is %s, %v", text, err)
	}
	if _, err := stored.UnmarshalResult([]byte(`{"Timings":7}`)); err == nil {
		t.Error("another form was read")
	}
}

func TestJob(t *testing.T) {
	var job edgelens.Job
	fill(reflect.ValueOf(&job).Elem())
	job.Owner, job.Held = "", false // which stay on their node: a held job is not leased
	job.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	text, err := json.Marshal(stored.NewJob(job))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "testdata/job.json", text)
	var form stored.Job
	if err := json.Unmarshal(text, &form); err != nil {
		t.Fatal(err)
	}
	if back := form.Job(); !reflect.DeepEqual(back, job) {
		t.Errorf("%+v, want %+v", back, job)
	}
	var waiting stored.Job
	if err := json.Unmarshal([]byte(`{"ID":"a","Status":"queued","Result":null,"Error":null}`), &waiting); err != nil {
		t.Fatal(err)
	}
	if j := waiting.Job(); j.Trace != "" {
		t.Errorf("trace %q", j.Trace)
	}
	if j := waiting.Job(); j.Result != nil || j.Error != nil || j.Status != edgelens.JobQueued {
		t.Errorf("%+v", j)
	}
}

// What earlier versions wrote, and what is written where there is no view, accelerator, admission, embedding and trace, is the same.
func TestWithoutView(t *testing.T) {
	var result edgelens.Result
	fill(reflect.ValueOf(&result).Elem())
	result.View, result.Accelerator, result.Timings.Admission, result.Embedding = edgelens.ShownView{}, "", 0, nil
	text, err := stored.MarshalResult(&result)
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "testdata/result_without_view.json", text)
	if back, err := stored.UnmarshalResult(text); err != nil || !reflect.DeepEqual(back, &result) {
		t.Errorf("%+v, %v, want %+v", back, err, result)
	}

	var job edgelens.Job
	fill(reflect.ValueOf(&job).Elem())
	job.Owner, job.Held, job.Task = "", false, ""
	job.View, job.Result.View, job.Result.Accelerator, job.Result.Timings.Admission, job.Result.Embedding, job.Trace = edgelens.View{}, edgelens.ShownView{}, "", 0, nil, ""
	if text, err = json.Marshal(stored.NewJob(job)); err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "testdata/job_without_view.json", text)
	var form stored.Job
	if err := json.Unmarshal(text, &form); err != nil {
		t.Fatal(err)
	}
	if back := form.Job(); !reflect.DeepEqual(back, job) {
		t.Errorf("%+v, want %+v", back, job)
	}
}

// A part of a view is stored without what it leaves open.
func TestPartsOfViews(t *testing.T) {
	gate := edgelens.Region{X: 0.1, Width: 0.7, Height: 1}
	for want, view := range map[string]edgelens.View{
		`"View":{"Fit":"sweep"}`:                                   {Fit: edgelens.FitSweep},
		`"View":{"Region":{"X":0.1,"Y":0,"Width":0.7,"Height":1}}`: {Region: gate},
	} {
		text, err := json.Marshal(stored.NewJob(edgelens.Job{JobSpec: edgelens.JobSpec{View: view}}))
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s, %v, want %s", text, err, want)
		}
		var form stored.Job
		if err := json.Unmarshal(text, &form); err != nil || form.Job().View != view {
			t.Errorf("%+v, %v, want %+v", form.Job().View, err, view)
		}
	}
	whole := edgelens.Result{View: edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitCenter}, Count: 1}}
	if text, err := stored.MarshalResult(&whole); err != nil || !bytes.Contains(text, []byte(`"View":{"Fit":"center","Count":1}`)) {
		t.Errorf("%s, %v", text, err)
	}
}

// The goldens without a view were written by the version before this package, which encoded
// the types of the root package: they must not change.
func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, compact.Bytes()) {
		t.Errorf("%s\nwant\n%s", got, compact.Bytes())
	}
}
