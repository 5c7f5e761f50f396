// Package stored has the JSON forms of results and jobs that lie on disks and travel
// between nodes: in the ledger's rows, in the result cache that nodes share, and in the
// messages of remote workers. The names are those that the first versions wrote, so a
// renamed Go field changes nothing that is stored. testdata has what they are.
package stored

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"edgelens"
)

// Result is the stored form of edgelens.Result.
type Result struct {
	RequestID   string       `json:"RequestID"`
	Model       modelRef     `json:"Model"`
	Predictions []prediction `json:"Predictions"`
	Embedding   embedding    `json:"Embedding,omitempty"` // results of earlier versions have none
	Image       imageInfo    `json:"Image"`
	View        shownView    `json:"View,omitzero"` // results of earlier versions have none
	Accelerator string       `json:"Accelerator,omitempty"`
	Quality     *quality     `json:"Quality,omitempty"`
	Cached      bool         `json:"Cached"`
	Timings     timings      `json:"Timings"`
	StandIn     bool         `json:"StandIn,omitempty"`
	Warnings    []string     `json:"Warnings,omitempty"`
}

type modelRef struct {
	Name   string `json:"Name"`
	Digest string `json:"Digest"`
}

type prediction struct {
	ClassID     int     `json:"ClassID"`
	Label       string  `json:"Label"`
	Probability float64 `json:"Probability"`
}

// embedding is a vector that is stored as float32 numbers, little-endian, in base64.
type embedding []float32

// MarshalJSON implements json.Marshaler.
func (e embedding) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 4*len(e))
	for _, x := range e {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return json.Marshal(b)
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *embedding) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if len(b)%4 != 0 {
		return fmt.Errorf("a stored embedding has %d bytes, which is no multiple of 4", len(b))
	}
	*e = nil
	for ; len(b) > 0; b = b[4:] {
		*e = append(*e, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return nil
}

type imageInfo struct {
	Width   int    `json:"Width"`
	Height  int    `json:"Height"`
	Format  string `json:"Format"`
	SHA256  string `json:"SHA256"`
	Damaged bool   `json:"Damaged,omitempty"`
}

// shownView is the stored form of edgelens.ShownView.
type shownView struct {
	Fit    string `json:"Fit"`
	Region region `json:"Region,omitzero"`
	Count  int    `json:"Count"`
}

// view is the stored form of edgelens.View.
type view struct {
	Fit    string `json:"Fit,omitempty"`
	Region region `json:"Region,omitzero"`
}

type region struct {
	X      float64 `json:"X"`
	Y      float64 `json:"Y"`
	Width  float64 `json:"Width"`
	Height float64 `json:"Height"`
}

func newView(v edgelens.View) view { return view{Fit: string(v.Fit), Region: region(v.Region)} }

func (v view) view() edgelens.View {
	return edgelens.View{Fit: edgelens.Fit(v.Fit), Region: edgelens.Region(v.Region)}
}

func newShownView(v edgelens.ShownView) shownView {
	return shownView{Fit: string(v.Fit), Region: region(v.Region), Count: v.Count}
}

func (v shownView) view() edgelens.ShownView {
	return edgelens.ShownView{View: edgelens.View{Fit: edgelens.Fit(v.Fit), Region: edgelens.Region(v.Region)}, Count: v.Count}
}

type quality struct {
	Verdict string  `json:"Verdict"`
	Score   float64 `json:"Score"`
	Usable  bool    `json:"Usable"`
}

// timings are in nanoseconds.
type timings struct {
	Queue       time.Duration `json:"Queue"`
	Admission   time.Duration `json:"Admission,omitempty"` // results of earlier versions have none
	Decode      time.Duration `json:"Decode"`
	Preprocess  time.Duration `json:"Preprocess"`
	Inference   time.Duration `json:"Inference"`
	Postprocess time.Duration `json:"Postprocess"`
	Quality     time.Duration `json:"Quality"`
	Total       time.Duration `json:"Total"`
}

// NewResult returns the stored form of a result; nil for nil.
func NewResult(r *edgelens.Result) *Result {
	if r == nil {
		return nil
	}
	s := &Result{
		RequestID: r.RequestID, Model: modelRef(r.Model), Embedding: r.Embedding, Image: imageInfo(r.Image), View: newShownView(r.View), Accelerator: r.Accelerator, Quality: (*quality)(r.Quality),
		Cached: r.Cached, Timings: timings(r.Timings), StandIn: r.StandIn, Warnings: r.Warnings,
	}
	for _, p := range r.Predictions {
		s.Predictions = append(s.Predictions, prediction(p))
	}
	return s
}

// Result returns the result; nil for nil.
func (s *Result) Result() *edgelens.Result {
	if s == nil {
		return nil
	}
	r := &edgelens.Result{
		RequestID: s.RequestID, Model: edgelens.ModelRef(s.Model), Embedding: s.Embedding, Image: edgelens.ImageInfo(s.Image), View: s.View.view(), Accelerator: s.Accelerator, Quality: (*edgelens.Quality)(s.Quality),
		Cached: s.Cached, Timings: edgelens.Timings(s.Timings), StandIn: s.StandIn, Warnings: s.Warnings,
	}
	for _, p := range s.Predictions {
		r.Predictions = append(r.Predictions, edgelens.Prediction(p))
	}
	return r
}

// MarshalResult returns a result as JSON.
func MarshalResult(r *edgelens.Result) ([]byte, error) { return json.Marshal(NewResult(r)) }

// UnmarshalResult reads a result that MarshalResult, of this or an earlier version, wrote.
func UnmarshalResult(text []byte) (*edgelens.Result, error) {
	var s Result
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	return s.Result(), nil
}

// Job is the stored form of edgelens.Job, without its Owner: the workers of other processes need to know no clients.
type Job struct {
	ID             string    `json:"ID"`
	Source         string    `json:"Face"` // its former name
	Device         string    `json:"Device"`
	Record         string    `json:"Record"`
	Queue          string    `json:"Queue"`
	Model          string    `json:"Model"`
	Task           string    `json:"Task,omitempty"` // jobs of earlier versions have none
	TopK           int       `json:"TopK"`
	MinScore       float64   `json:"MinScore"`
	View           view      `json:"View,omitzero"` // jobs of earlier versions have none
	NoCache        bool      `json:"NoCache"`
	SHA256         string    `json:"SHA256"`
	Bytes          int64     `json:"Bytes"`
	IdempotencyKey string    `json:"IdempotencyKey"`
	Deadline       time.Time `json:"Deadline"`
	Status         string    `json:"Status"`
	Attempts       int       `json:"Attempts"`
	CreatedAt      time.Time `json:"CreatedAt"`
	StartedAt      time.Time `json:"StartedAt"`
	FinishedAt     time.Time `json:"FinishedAt"`
	Result         *Result   `json:"Result"`
	Error          *JobError `json:"Error"`
	Trace          string    `json:"Trace,omitempty"` // jobs of earlier versions have none
}

// JobError is the stored form of edgelens.JobError.
type JobError struct {
	Code   string `json:"Code"`
	Detail string `json:"Detail"`
}

// NewJob returns the stored form of a job.
func NewJob(j edgelens.Job) *Job {
	return &Job{
		ID: j.ID, Source: j.Source, Device: j.Device, Record: j.Record, Queue: j.Queue, Model: j.Model, Task: j.Task, TopK: j.TopK, MinScore: j.MinScore,
		View: newView(j.View), NoCache: j.NoCache, SHA256: j.SHA256, Bytes: j.Bytes, IdempotencyKey: j.IdempotencyKey, Deadline: j.Deadline,
		Status: string(j.Status), Attempts: j.Attempts, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt,
		Result: NewResult(j.Result), Error: (*JobError)(j.Error), Trace: string(j.Trace),
	}
}

// Job returns the job.
func (s *Job) Job() edgelens.Job {
	return edgelens.Job{
		ID: s.ID,
		JobSpec: edgelens.JobSpec{
			Source: s.Source, Device: s.Device, Record: s.Record, Queue: s.Queue, Model: s.Model, Task: s.Task, TopK: s.TopK, MinScore: s.MinScore,
			View: s.View.view(), NoCache: s.NoCache, SHA256: s.SHA256, Bytes: s.Bytes, IdempotencyKey: s.IdempotencyKey, Deadline: s.Deadline,
			Trace: edgelens.ParseTrace(s.Trace),
		},
		Status: edgelens.JobStatus(s.Status), Attempts: s.Attempts, CreatedAt: s.CreatedAt, StartedAt: s.StartedAt, FinishedAt: s.FinishedAt,
		Result: s.Result.Result(), Error: (*edgelens.JobError)(s.Error),
	}
}
