package federation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/learn/federation"
	"edgelens/learn/softmax"
)

// raw speaks to a coordinator as a node that may do anything.
type raw struct {
	*member
	s   *site
	seq int64
}

func (s *site) addRaw(name string) *raw {
	r := &raw{member: s.newNode(name), s: s}
	s.joins(r.member)
	return r
}

// call makes a request, and returns the status and the reason of a refusal, or the answer.
func (r *raw) call(method, path string, body []byte, header http.Header) (int, string, []byte) {
	r.s.t.Helper()
	request, err := http.NewRequestWithContext(r.s.t.Context(), method, r.s.server.URL+federation.Path+path, bytes.NewReader(body))
	if err != nil {
		r.s.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.s.t.Fatal(err)
	}
	var form struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(text, &form)
	return response.StatusCode, form.Reason, text
}

func (r *raw) seal(kind string, value any) []byte {
	r.s.t.Helper()
	message, err := federation.Seal(r.keys, kind, value)
	if err != nil {
		r.s.t.Fatal(err)
	}
	return message
}

// announce returns a poll with 20 examples.
func (r *raw) announce() federation.Poll {
	r.seq++
	return federation.Poll{Node: r.name, Seq: r.seq, Examples: map[string]int{"open": 10, "closed": 10}, HeldOut: 5, Extractor: federation.Model{Name: "extractor", Digest: "sha256:e1"}, Features: features}
}

// poll polls once.
func (r *raw) poll() federation.Answer {
	r.s.t.Helper()
	status, reason, text := r.call(http.MethodPost, "/poll", r.seal(federation.KindPoll, r.announce()), nil)
	if status != http.StatusOK {
		r.s.t.Fatalf("the poll of %s is refused: %d %s", r.name, status, reason)
	}
	var answer federation.Answer
	if err := federation.Peek(text, &answer); err != nil {
		r.s.t.Fatal(err)
	}
	return answer
}

// task polls until there is a task of that kind.
func (r *raw) task(kind string) (task federation.Task) {
	r.s.t.Helper()
	testutil.Eventually(r.s.t, r.name+" has a task to "+kind, func() bool {
		answer := r.poll()
		if answer.Task == nil || answer.Task.Kind != kind {
			return false
		}
		task = *answer.Task
		return true
	})
	return task
}

// upload uploads data as one part, and returns the reason of a refusal.
func (r *raw) upload(task federation.Task, data []byte) string {
	r.s.t.Helper()
	_, reason, _ := r.call(http.MethodPut, "/tasks/"+task.Ticket+"/update", data, http.Header{"Content-Range": {fmt.Sprintf("bytes 0-%d/%d", len(data)-1, len(data))}})
	return reason
}

// describe returns the description of an update.
func (r *raw) describe(task federation.Task, data []byte) federation.Update {
	return federation.Update{Node: r.name, Round: task.Round, Base: task.Base.Digest, SHA256: federation.Digest(data), Bytes: int64(len(data)), Examples: 20, LossBefore: 0.7, LossAfter: 0.5}
}

// commit sends a signed description, and returns the reason of a refusal; empty where the update is accepted.
func (r *raw) commit(task federation.Task, message []byte) string {
	r.s.t.Helper()
	_, reason, _ := r.call(http.MethodPost, "/tasks/"+task.Ticket+"/update", message, nil)
	return reason
}

// values returns an update with one value that is not 0.
func values(first float64) []byte {
	p := softmax.New(len(labels), features)
	p.Values[0] = first
	return federation.EncodeUpdate(p)
}

func TestUpdateRefusals(t *testing.T) {
	settings := quickSettings()
	for name, test := range map[string]struct {
		data   []byte
		change func(*federation.Update)
		reason federation.Reason
	}{
		"good":            {values(1), nil, ""},
		"at the clip":     {values(10), nil, ""},
		"not a number":    {values(math.NaN()), nil, federation.NotFinite},
		"infinite":        {values(math.Inf(1)), nil, federation.NotFinite},
		"above the clip":  {values(10.1), nil, federation.NormTooHigh},
		"1000 times":      {values(10_000), nil, federation.NormTooHigh},
		"another round":   {values(1), func(u *federation.Update) { u.Round++ }, federation.Replay},
		"a stale base":    {values(1), func(u *federation.Update) { u.Base = "sha256:00" }, federation.StaleBase},
		"another digest":  {values(1), func(u *federation.Update) { u.SHA256 = federation.Digest(nil) }, federation.WrongDigest},
		"another length":  {values(1), func(u *federation.Update) { u.Bytes-- }, federation.WrongDigest},
		"no examples":     {values(1), func(u *federation.Update) { u.Examples = 0 }, federation.NoExamples},
		"fewer than none": {values(1), func(u *federation.Update) { u.Examples = -5 }, federation.NoExamples},
		"too many":        {values(1), func(u *federation.Update) { u.Examples = 2e9 }, federation.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, settings)
			a, b := s.addRaw("a"), s.addRaw("b")
			a.poll()
			b.poll()
			task := a.task(federation.TaskTrain)
			if reason := a.upload(task, test.data); reason != "" {
				t.Fatalf("the upload is refused: %s", reason)
			}
			u := a.describe(task, test.data)
			if test.change != nil {
				test.change(&u)
			}
			message := a.seal(federation.KindUpdate, u)
			for range 2 { // the same message again gets the same answer: the first may have been lost
				if reason := a.commit(task, message); reason != string(test.reason) {
					t.Errorf("the update is refused with %q, want %q", reason, test.reason)
				}
			}
			receipts, err := s.Receipts()
			if err != nil {
				t.Fatal(err)
			}
			if test.reason != "" && !strings.Contains(string(receipts), `"reason":"`+string(test.reason)+`"`) {
				t.Errorf("the receipts have no %s", test.reason)
			}
		})
	}
}

// TestTransferRefusals: what does not come from the node does not end its part in the round.
func TestTransferRefusals(t *testing.T) {
	s := newSite(t, quickSettings())
	a, b := s.addRaw("a"), s.addRaw("b")
	a.poll()
	b.poll()
	task, other := a.task(federation.TaskTrain), b.task(federation.TaskTrain)
	want := func(what, reason string, expected federation.Reason) {
		t.Helper()
		if reason != string(expected) {
			t.Errorf("%s: refused with %q, want %q", what, reason, expected)
		}
	}
	want("too many bytes", a.upload(task, make([]byte, 1000)), federation.TooLarge)
	want("too few bytes", a.upload(task, make([]byte, 7)), federation.WrongShape)
	_, reason, _ := a.call(http.MethodPut, "/tasks/"+task.Ticket+"/update", make([]byte, 1000), http.Header{"Content-Range": {fmt.Sprintf("bytes 0-%d/%d", len(values(1))-1, len(values(1)))}})
	want("more bytes than its header has", reason, federation.TooLarge)
	_, reason, _ = a.call(http.MethodPut, "/tasks/"+task.Ticket+"/update", []byte("x"), http.Header{"Content-Range": {"bytes x-1/2"}})
	want("a header that cannot be read", reason, federation.Malformed)
	_, reason, _ = a.call(http.MethodPut, "/tasks/"+task.Ticket+"/update", values(1), http.Header{"Content-Range": {fmt.Sprintf("bytes 3-%d/%d", len(values(1))-1, len(values(1)))}})
	want("a gap", reason, federation.WrongOffset)
	want("a ticket that nobody has", a.upload(federation.Task{Ticket: strings.Repeat("0", 32)}, values(1)), federation.NoTask)
	want("the ticket of a folder", a.upload(federation.Task{Ticket: "%2e%2e%2ffederation.json"}, values(1)), federation.NoTask)

	description := a.describe(task, values(1))
	signed := a.seal(federation.KindUpdate, description)
	var members map[string]any
	if err := json.Unmarshal(signed, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "signature")
	unsigned, _ := json.Marshal(members)
	want("no signature", a.commit(task, unsigned), federation.Unsigned)
	want("another kind of message", a.commit(task, a.seal(federation.KindScore, description)), federation.Malformed)
	want("no JSON", a.commit(task, []byte("{")), federation.Malformed)
	want("a changed message", a.commit(task, bytes.Replace(signed, []byte(`"examples":20`), []byte(`"examples":99`), 1)), federation.WrongKey)
	want("the key of another node", a.commit(task, b.seal(federation.KindUpdate, description)), federation.WrongKey)
	want("the task of another node", a.commit(other, signed), federation.WrongKey)
	stranger := &raw{member: s.newNode("a"), s: s}
	want("a stranger with the name of a node", a.commit(task, stranger.seal(federation.KindUpdate, description)), federation.WrongKey)
	_, reason, _ = stranger.call(http.MethodPost, "/poll", stranger.seal(federation.KindPoll, stranger.announce()), nil)
	want("a poll by a stranger", reason, federation.WrongKey)
	stranger.name = "nobody"
	_, reason, _ = stranger.call(http.MethodPost, "/poll", stranger.seal(federation.KindPoll, stranger.announce()), nil)
	want("a poll by an unknown name", reason, federation.UnknownNode)
	_, reason, _ = a.call(http.MethodPost, "/poll", make([]byte, federation.MaxMessage+1), nil)
	want("a message that is too large", reason, federation.TooLarge)

	old := a.seal(federation.KindPoll, a.announce())
	a.poll()
	_, reason, _ = a.call(http.MethodPost, "/poll", old, nil)
	want("a poll again", reason, federation.Replay)

	if _, reason, _ := a.call(http.MethodGet, "/tasks/"+task.Ticket+"/update", nil, nil); reason != "" {
		t.Errorf("the upload cannot go on: %s", reason)
	}
	received := s.Status().Round.Nodes[0].Received
	data := values(1)[received:]
	_, reason, _ = a.call(http.MethodPut, "/tasks/"+task.Ticket+"/update", data, http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", received, len(values(1))-1, len(values(1)))}})
	if len(data) > 0 {
		want("the rest", reason, "")
	}
}

func TestReplayOfAnEarlierRound(t *testing.T) {
	settings := quickSettings()
	settings.Deadline = federation.Seconds(3 * time.Second)
	s := newSite(t, settings)
	a, b := s.addRaw("a"), s.addRaw("b")
	a.poll()
	b.poll()
	first := a.task(federation.TaskTrain)
	data := values(1)
	a.upload(first, data)
	message := a.seal(federation.KindUpdate, a.describe(first, data))
	if reason := a.commit(first, message); reason != "" {
		t.Fatal(reason)
	}
	if reason := a.commit(first, a.seal(federation.KindUpdate, federation.Update{Node: "a", Round: first.Round})); reason != string(federation.Replay) {
		t.Errorf("a second update is refused with %q", reason)
	}
	// b sends nothing: the round fails at its deadline, and the next one begins.
	var second federation.Task
	testutil.Eventually(t, "the second round begins", func() bool {
		b.poll()
		answer := a.poll()
		if answer.Task == nil || answer.Task.Round == first.Round {
			return false
		}
		second = *answer.Task
		return true
	})
	if reason := a.commit(first, message); reason != string(federation.Late) && reason != string(federation.NoTask) {
		t.Errorf("the message of the first round is refused with %q", reason)
	}
	a.upload(second, data)
	if reason := a.commit(second, message); reason != string(federation.Replay) {
		t.Errorf("the message of the first round, sent in the second, is refused with %q", reason)
	}
	if rounds := s.ended(); rounds[0].Outcome != "failed" || !strings.Contains(rounds[0].Reason, "1 updates were accepted; 2 are needed") {
		t.Errorf("the first round: %+v", rounds[0])
	}
}

func TestLateUpdate(t *testing.T) {
	settings := quickSettings()
	settings.Deadline, settings.Pause = federation.Seconds(time.Second), federation.Seconds(time.Hour)
	s := newSite(t, settings)
	a, b := s.addRaw("a"), s.addRaw("b")
	a.poll()
	b.poll()
	task := a.task(federation.TaskTrain)
	a.upload(task, values(1))
	testutil.Eventually(t, "the round ends", func() bool { return len(s.ended()) == 1 })
	if reason := a.commit(task, a.seal(federation.KindUpdate, a.describe(task, values(1)))); reason != string(federation.Late) {
		t.Errorf("an update after the deadline is refused with %q", reason)
	}
	receipts, err := s.Receipts()
	if err != nil || !strings.Contains(string(receipts), `"reason":"late"`) {
		t.Errorf("the receipts have no late update: %v", err)
	}
}
