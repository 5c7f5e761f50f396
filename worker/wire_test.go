package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"edgelens"
)

// The content of Redis is untrusted: these tests of its parsers are in the package because they are not exported.

func FuzzPayload(f *testing.F) {
	for _, seed := range []string{"node/job", "a/b/c", "/", "node/", "/job", "", strings.Repeat("n", maxName) + "/j"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		node, id, ok := parsePayload(payload)
		if !ok {
			if node != "" || id != "" {
				t.Errorf("refused, yet node %q, id %q", node, id)
			}
			return
		}
		if node == "" || id == "" || strings.Contains(id, "/") || len(node)+len(id) > 2*maxName {
			t.Errorf("node %q, id %q", node, id)
		}
		if string(payloadOf(node, id)) != string(payload) {
			t.Errorf("%q became node %q, id %q", payload, node, id)
		}
	})
}

// noJobs is a Ledger without jobs.
type noJobs struct{}

func (noJobs) Start(context.Context, string) (edgelens.Job, []byte, error) {
	return edgelens.Job{}, nil, edgelens.ErrNotFound
}
func (noJobs) Release(context.Context, string, bool) error            { return edgelens.ErrNotFound }
func (noJobs) Finish(context.Context, string, *edgelens.Result) error { return edgelens.ErrNotFound }
func (noJobs) Fail(context.Context, string, edgelens.JobError) error  { return edgelens.ErrNotFound }
func (noJobs) Job(context.Context, string) (edgelens.Job, error) {
	return edgelens.Job{}, edgelens.ErrNotFound
}
func (noJobs) Wait(context.Context, string) (edgelens.Job, error) {
	return edgelens.Job{}, edgelens.ErrNotFound
}
func (noJobs) Cancel(context.Context, string) (edgelens.Job, error) {
	return edgelens.Job{}, edgelens.ErrNotFound
}
func (noJobs) Unfinished(context.Context) iter.Seq2[edgelens.Job, error] {
	return func(func(edgelens.Job, error) bool) {}
}
func (noJobs) Receive(context.Context, edgelens.Reception) (edgelens.Job, bool, error) {
	return edgelens.Job{}, false, edgelens.ErrDiskFull
}
func (noJobs) Accept(context.Context, edgelens.JobSpec, []byte) (edgelens.Job, bool, error) {
	return edgelens.Job{}, false, edgelens.ErrDiskFull
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"op":"start","id":"j","lease":"l","reply":"edgelens:reply:r"}`, `{"op":"release","id":"j","refund":true}`,
		`{"op":"finish","id":"j","result":{}}`, `{"op":"finish"}`, `{"op":"fail","why":{"code":"x","detail":"y"}}`, `{"op":"fail"}`,
		`{"reply":"asynq:{interactive}:pending"}`, `{"op":"dance"}`, `[]`, `null`, `{"id":7}`, "", strings.Repeat("[", 20_000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRequest(text)
		if err != nil {
			return
		}
		if r.Reply != "" && !strings.HasPrefix(r.Reply, replyPrefix) {
			t.Errorf("it would be answered on %q", r.Reply)
		}
		q := &Queue{ledger: noJobs{}, running: newAttempts(), config: DefaultConfig()}
		if a := q.serve(context.Background(), r); a.Job != nil || a.Image != "" || a.err() == nil {
			t.Errorf("%q was answered with %+v", text, a)
		}
		if len(q.running.leased) != 0 {
			t.Errorf("%q left a lease", text)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, sentinel := range append(edgelens.Sentinels(), nil) {
		text, err := json.Marshal(answerTo(sentinel))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	digest := strings.Repeat("0a", 32)
	for _, seed := range []string{
		`{"code":"ok","job":{"id":"j","sha256":"` + digest + `"},"picture":"edgelens:picture:p"}`,
		`{"code":"ok","job":{"sha256":"` + digest + `00"}}`, `{"code":"ok","picture":"edgelens:result:r"}`, `{"job":[]}`, `null`, ``, `{`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAnswer(text)
		if err != nil {
			return
		}
		if a.Image != "" && !strings.HasPrefix(a.Image, imagePrefix) {
			t.Errorf("%q would be taken for an image", a.Image)
		}
		if err := a.err(); (err == nil) != (a.Code == edgelens.Code(nil)) {
			t.Errorf("code %q is %v", a.Code, err)
		}
		if a.Job == nil {
			return
		}
		w := Worker{recognizer: canceled{}}
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // so that nothing is recognized
		if _, err := w.recognize(ctx, a.Job.Job(), nil, ""); !errors.Is(err, edgelens.ErrInvalid) && !errors.Is(err, edgelens.ErrBadImage) && !errors.Is(err, edgelens.ErrCanceled) {
			t.Errorf("%q leads to %v", text, err)
		}
	})
}

// Oversized messages are rejected before they are parsed.
func TestLongMessages(t *testing.T) {
	long := `{"code":"` + strings.Repeat("x", maxMessage) + `"}`
	if _, err := parseAnswer(long); err == nil {
		t.Error("a long answer was read")
	}
	if _, err := parseRequest(long); err == nil {
		t.Error("a long request was read")
	}
	if _, _, ok := parsePayload([]byte(strings.Repeat("n", 2*maxName) + "/job")); ok {
		t.Error("a long payload was read")
	}
}

// Entries of silent nodes are removed after a while.
func TestSilencesExpire(t *testing.T) {
	var s silences
	s.note("first")
	if !s.holds("first") || s.holds("second") {
		t.Error("only a silent node must be skipped")
	}
	s.until["first"] = s.until["first"].Add(-silencePause)
	s.note("second")
	if len(s.until) != 1 {
		t.Errorf("%d nodes are stored, want the last", len(s.until))
	}
}

// canceled is a recognizer that recognizes nothing.
type canceled struct{}

func (canceled) Recognize(ctx context.Context, _ *edgelens.Request) (*edgelens.Result, error) {
	return nil, fmt.Errorf("recognize: %w", edgelens.ErrCanceled)
}
