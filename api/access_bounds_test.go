package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// ownedJobs has one job with an owner and a device.
type ownedJobs struct {
	owner, device string
	canceled      int
	filter        edgelens.JobFilter
}

func (j *ownedJobs) Job(_ context.Context, id string) (edgelens.Job, error) {
	if id != jobID {
		return edgelens.Job{}, fmt.Errorf("look up job %s: %w: no job has this id; it may have been removed for its age", id, edgelens.ErrNotFound)
	}
	return edgelens.Job{ID: jobID, Status: edgelens.JobSucceeded, JobSpec: edgelens.JobSpec{Owner: j.owner, Device: j.device}}, nil
}

func (j *ownedJobs) Wait(ctx context.Context, id string) (edgelens.Job, error) { return j.Job(ctx, id) }

func (j *ownedJobs) Jobs(_ context.Context, filter edgelens.JobFilter) ([]edgelens.Job, string, error) {
	j.filter = filter
	return nil, "", nil
}

func (j *ownedJobs) Submit(context.Context, edgelens.JobSpec, []byte) (edgelens.Job, bool, error) {
	return edgelens.Job{}, false, errors.New("not in this test")
}

func (j *ownedJobs) Cancel(ctx context.Context, id string) (edgelens.Job, error) {
	j.canceled++
	return j.Job(ctx, id)
}

func TestAsyncRecognitionNeedsJobs(t *testing.T) {
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Queue = &jobs{} })
	for scope, want := range map[edgelens.Scope]int{edgelens.ScopeRecognize: 403, edgelens.ScopeJobs: 202} {
		r := bearing(g.token(scoped(scope)), formRequest("/api/recognize", "file", []byte(anImage)))
		r.Header.Set("Prefer", "respond-async")
		if w := g.do(r); w.Code != want {
			t.Errorf("%s: %d, want %d", scope, w.Code, want)
		}
	}
}

func TestJobsHaveOwner(t *testing.T) {
	queue := &jobs{}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Queue = queue })
	key, token, err := g.keys.CreateKey(t.Context(), edgelens.Key{Name: "app", Scopes: []edgelens.Scope{edgelens.ScopeJobs}})
	if err != nil {
		t.Fatal(err)
	}
	if w := g.do(bearing(token, formRequest("/api/recognize_async", "file", []byte(anImage)))); w.Code != 202 || queue.spec.Owner != key.ID {
		t.Errorf("%d, owner %q, want %q", w.Code, queue.spec.Owner, key.ID)
	}
}

// stateOf has one state, gate, by a model of that name.
type stateOf struct {
	statesPort
	model string
}

type statesPort = api.States

func (s stateOf) State(name string) (edgelens.State, error) {
	return edgelens.State{Name: name, Model: s.model}, nil
}

func (s stateOf) Observe(context.Context, string, []byte, [32]byte) (edgelens.StateAnswer, edgelens.State, error) {
	now, err := s.State("gate")
	return edgelens.StateAnswer{Outcome: edgelens.StatePending}, now, err
}

// A key for some models has no image recognized by another one that a state has.
func TestKeyOfModelsAndStates(t *testing.T) {
	for model, want := range map[string]int{"known": 200, "m": 403} {
		g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.States = stateOf{model: model} })
		token := g.token(edgelens.Key{Name: "camera", Scopes: []edgelens.Scope{edgelens.ScopeDevices}, Models: []string{"known"}})
		if w := g.do(bearing(token, formRequest("/api/states/gate/images", "file", []byte(anImage)))); w.Code != want {
			t.Errorf("%s: %d, want %d: %s", model, w.Code, want, w.Body)
		}
	}
}

func TestKeyOfModels(t *testing.T) {
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Queue = &jobs{} })
	bound := func(name string, models ...string) string {
		return g.token(edgelens.Key{Name: name, Scopes: []edgelens.Scope{edgelens.ScopeRecognize, edgelens.ScopeJobs}, Models: models})
	}
	other, fit := bound("other", "known"), bound("fit", "m", "known")
	for name, c := range map[string]struct {
		token, target string
		want          int
	}{
		"the default, bounded":   {fit, "/api/recognize", 200},
		"by name":                {other, "/api/recognize?model=known", 200},
		"another default":        {other, "/api/recognize", 403},
		"another":                {other, "/api/recognize?model=m", 403},
		"one that does not exit": {other, "/api/recognize?model=none", 403},
		"a job":                  {other, "/api/recognize_async?model=known", 202},
		"a job, another":         {other, "/api/recognize_async?model=m", 403},
		"a job, another default": {other, "/api/recognize_async", 403},
	} {
		if w := g.do(bearing(c.token, formRequest(c.target, "file", []byte(anImage)))); w.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}
	if w := g.do(bearing(other, request("GET", "/api/models", "", nil))); strings.Count(w.Body.String(), `"digest"`) != 1 || !strings.Contains(w.Body.String(), `"name":"known"`) {
		t.Errorf("the list: %s", w.Body)
	}
	for model, want := range map[string]int{"known": 200, "m": 404, "none": 404} {
		if w := g.do(bearing(other, request("GET", "/api/models/"+model, "", nil))); w.Code != want {
			t.Errorf("%s: %d, want %d", model, w.Code, want)
		}
	}
}

func TestKeyOfDevices(t *testing.T) {
	doors := &devices{}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Devices = doors })
	scopes := []edgelens.Scope{edgelens.ScopeDevices, edgelens.ScopeCommands}
	ofDoor := g.token(edgelens.Key{Name: "door", Scopes: scopes, Devices: []string{door}})
	ofNew := g.token(edgelens.Key{Name: "new", Scopes: scopes, Devices: []string{"new"}})
	open := func() io.Reader { return strings.NewReader(`{"cmd":"open"}`) }
	if page := g.do(bearing(ofNew, request("GET", "/api/devices?limit=1", "", nil))).Body.String(); !strings.Contains(page, `"id":"new"`) || !strings.Contains(page, `"counts":{"all":1,`) || strings.Contains(page, door) || strings.Contains(page, "next") {
		t.Errorf("the list: %s", page)
	}
	for name, c := range map[string]struct {
		token   string
		request *http.Request
		want    int
	}{
		"its device":                  {ofNew, request("GET", "/api/devices/new", "", nil), 200},
		"another":                     {ofNew, request("GET", "/api/devices/"+door, "", nil), 403},
		"one that does not exist":     {ofNew, request("GET", "/api/devices/none", "", nil), 403},
		"a change":                    {ofNew, request("PATCH", "/api/devices/new", "", strings.NewReader(`{"state":"accepted"}`)), 200},
		"a change of another":         {ofNew, request("PATCH", "/api/devices/"+door, "", strings.NewReader(`{"state":"accepted"}`)), 403},
		"a command":                   {ofNew, request("POST", "/api/devices/new/commands", "", open()), 202},
		"a command for another":       {ofNew, request("POST", "/api/devices/"+door+"/commands", "", open()), 403},
		"the default device":          {ofDoor, request("POST", "/", "", open()), 200},
		"the default is another":      {ofNew, request("POST", "/", "", open()), 403},
		"the state of a command":      {ofDoor, request("GET", "/api/devices/"+door+"/commands/"+commandID, "", nil), 200},
		"that of another's command":   {ofNew, request("GET", "/api/devices/"+door+"/commands/"+commandID, "", nil), 403},
		"another's by the own device": {ofNew, request("GET", "/api/devices/new/commands/"+commandID, "", nil), 404},
	} {
		before := len(doors.sent) + len(doors.changes)
		w := g.do(bearing(c.token, c.request))
		if w.Code != c.want || c.want == 403 && len(doors.sent)+len(doors.changes) != before {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}
	if w := g.do(bearing(ofNew, request("GET", "/api/devices", "", nil))); !strings.Contains(w.Body.String(), `"id":"new"`) || strings.Contains(w.Body.String(), door) {
		t.Errorf("the list: %s", w.Body)
	}
	if w := g.do(bearing(ofNew, request("GET", "/api/not-understood", "", nil))); !strings.Contains(w.Body.String(), `"not_understood":[]`) {
		t.Errorf("not understood: %s", w.Body)
	}
	if w := g.do(bearing(ofDoor, request("GET", "/api/not-understood", "", nil))); strings.Count(w.Body.String(), `"topic"`) != 1 {
		t.Errorf("not understood: %s", w.Body)
	}
}

// What another client owns is as if it did not exist.
func TestOwnership(t *testing.T) {
	all := []edgelens.Scope{edgelens.ScopeJobs, edgelens.ScopeResults}
	for name, c := range map[string]struct {
		key           edgelens.Key
		device        string
		others        bool // the job is of another client
		sees, cancels bool
	}{
		"own":                    {edgelens.Key{Scopes: all}, "", false, true, true},
		"another's":              {edgelens.Key{Scopes: all}, "", true, false, false},
		"sees all":               {edgelens.Key{Scopes: all, SeeAll: true}, "", true, true, false},
		"admin":                  {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeAdmin}}, "", true, true, true},
		"of a device":            {edgelens.Key{Scopes: all}, "door", true, false, false},
		"of its device":          {edgelens.Key{Scopes: all, Devices: []string{"door"}}, "door", true, true, false},
		"of another device":      {edgelens.Key{Scopes: all, Devices: []string{"gate"}}, "door", true, false, false},
		"a page that sees all":   {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopePage}, SeeAll: true}, "", true, true, false},
		"a page that sees a few": {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopePage}}, "", true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			owned := &ownedJobs{device: c.device}
			past := &history{}
			g := newGuarded(t, func(_ *api.Config, p *api.Parts) {
				p.Jobs, p.Queue, p.History, p.Images = owned, owned, past, images{jobID: anImage}
			})
			c.key.Name = "client"
			key, token, err := g.keys.CreateKey(t.Context(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			owned.owner = key.ID
			if c.others {
				owned.owner = "aaaaaaaa"
			}
			past.results = []edgelens.StoredResult{{ID: resultID, JobID: jobID, Owner: owned.owner, Device: c.device, Outcome: edgelens.OutcomeError, CreatedAt: morning}}
			want := map[bool]int{true: 200, false: 404}[c.sees]
			for _, path := range []string{"/api/jobs/" + jobID, "/api/jobs/" + jobID + "?wait=1s", "/api/results/" + resultID, "/api/results/" + resultID + "/image"} {
				w := g.do(bearing(token, request("GET", path, "", nil)))
				if w.Code != want {
					t.Errorf("%s: %d, want %d", path, w.Code, want)
				}
			}
			// The texts do not tell it from what is missing.
			if !c.sees {
				const none = "0197a000-0000-7000-8000-0000000000ff"
				hidden := problem(t, g.do(bearing(token, request("GET", "/api/jobs/"+jobID, "", nil))))["detail"]
				missing := problem(t, g.do(bearing(token, request("GET", "/api/jobs/"+none, "", nil))))["detail"]
				if strings.ReplaceAll(fmt.Sprint(missing), none, jobID) != hidden {
					t.Errorf("%q and %q", hidden, missing)
				}
			}
			w := g.do(bearing(token, request("DELETE", "/api/jobs/"+jobID, "", nil)))
			if (w.Code == 200) != c.cancels || (owned.canceled == 1) != c.cancels || !c.sees && key.May(edgelens.ScopeJobs) && w.Code != 404 {
				t.Errorf("cancel: %d, %d canceled", w.Code, owned.canceled)
			}
			g.do(bearing(token, request("GET", "/api/jobs", "", nil)))
			g.do(bearing(token, request("GET", "/api/results", "", nil)))
			for _, visible := range []*edgelens.Visibility{owned.filter.Visible, past.filter.Visible} {
				if (visible == nil) != (key.Visible() == nil) || visible != nil && visible.Owner != key.ID {
					t.Errorf("the lists are of %+v", visible)
				}
			}
		})
	}
}
