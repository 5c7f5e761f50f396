package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

const (
	exampleID  = "0197a000-0000-7000-8000-00000000000c"
	correctsID = "0197a000-0000-7000-8000-00000000000b"
	noID       = "0197a000-0000-7000-8000-0000000000ff"
)

// learned is a Datasets with one dataset, "gate", that has one example.
type learned struct {
	owner, device string
	added         []edgelens.ExampleSpec
	existing      bool
	err           error
	filter        edgelens.ExampleFilter
	others        int
	changes       []string
}

func (l *learned) example() edgelens.Example {
	return edgelens.Example{
		ID: exampleID, Dataset: "gate", Label: "open", SHA256: strings.Repeat("0", 64), Bytes: 3, Extractor: edgelens.ModelRef{Name: "x", Digest: "sha256:00"},
		Result: correctsID, Device: l.device, Owner: l.owner, CreatedAt: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
	}
}

func (l *learned) Add(_ context.Context, spec edgelens.ExampleSpec) (edgelens.Example, bool, error) {
	l.added = append(l.added, spec)
	return l.example(), l.existing, l.err
}

func (l *learned) Datasets(ctx context.Context) ([]edgelens.Dataset, error) {
	d, err := l.Dataset(ctx, "gate")
	return []edgelens.Dataset{d}, err
}

func (l *learned) Dataset(_ context.Context, name string) (edgelens.Dataset, error) {
	if name != "gate" {
		return edgelens.Dataset{}, fmt.Errorf("%w: there is no dataset %q", edgelens.ErrNotFound, name)
	}
	return edgelens.Dataset{
		Name: "gate", Extractor: edgelens.ModelRef{Name: "x", Digest: "sha256:00"}, View: edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{Width: 0.5, Height: 1}},
		Labels: []edgelens.LabelCount{{Label: "open", Count: 1}}, Examples: 1, Bytes: 3,
	}, nil
}

func (l *learned) Examples(ctx context.Context, filter edgelens.ExampleFilter) ([]edgelens.Example, string, error) {
	if _, err := l.Dataset(ctx, filter.Dataset); err != nil {
		return nil, "", err
	}
	if filter.NotOf != "" {
		return make([]edgelens.Example, l.others), "", nil
	}
	l.filter = filter
	return []edgelens.Example{l.example()}, "next", nil
}

func (l *learned) Example(_ context.Context, _, id string) (edgelens.Example, error) {
	if id != exampleID {
		return edgelens.Example{}, fmt.Errorf("%w: no example", edgelens.ErrNotFound)
	}
	return l.example(), nil
}

func (l *learned) Image(context.Context, string, string) ([]byte, error) { return []byte(anImage), nil }

func (l *learned) Relabel(_ context.Context, dataset, id, label string) (edgelens.Example, error) {
	l.changes = append(l.changes, "relabel "+dataset+" "+id+" "+label)
	e := l.example()
	e.Label = label
	return e, l.err
}

func (l *learned) Remove(_ context.Context, dataset, id string) error {
	l.changes = append(l.changes, "remove "+dataset+" "+id)
	return l.err
}

func (l *learned) RemoveDataset(_ context.Context, name string) error {
	l.changes = append(l.changes, "remove "+name)
	return l.err
}

func (l *learned) Embed(_ context.Context, dataset, extractor string, request edgelens.Request) (edgelens.EmbeddingProgress, error) {
	l.changes = append(l.changes, "embed "+dataset+" "+extractor)
	if request.ID == "" {
		return edgelens.EmbeddingProgress{}, fmt.Errorf("%w: no id", edgelens.ErrInvalid)
	}
	return edgelens.EmbeddingProgress{Done: 2, Left: 1}, l.err
}

func newLearning(t *testing.T, l *learned) *server {
	return newServer(t, func(_ *api.Config, p *api.Parts) {
		p.Datasets, p.History = l, &history{results: []edgelens.StoredResult{{ID: correctsID, Device: "door"}}}
	})
}

// An example can be sent in every way that an image can, with its label beside it, or be made of a result.
func TestAddExample(t *testing.T) {
	image64 := base64.StdEncoding.EncodeToString([]byte(anImage))
	ofForm := func(parts ...field) func() (string, string, io.Reader) {
		return func() (string, string, io.Reader) {
			contentType, body := fields(parts...)
			return "", contentType, body
		}
	}
	with := func(query, contentType, body string) func() (string, string, io.Reader) {
		return func() (string, string, io.Reader) { return query, contentType, strings.NewReader(body) }
	}
	file := field{"file", anImage, "gate.jpg"}
	view := edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{Width: 0.5, Height: 1}}
	for name, test := range map[string]struct {
		request func() (query, contentType string, body io.Reader)
		status  int
		want    edgelens.ExampleSpec // of the request, the extractor and view alone
		image   string
		says    string
	}{
		"form":                {ofForm(file, field{"label", "open", ""}), 201, edgelens.ExampleSpec{Label: "open"}, anImage, `"label":"open"`},
		"form, label first":   {ofForm(field{"label", " open ", ""}, file), 201, edgelens.ExampleSpec{Label: "open"}, anImage, ""},
		"bytes":               {with("?label=open", "image/jpeg", anImage), 201, edgelens.ExampleSpec{Label: "open"}, anImage, ""},
		"JSON":                {with("", "application/json", `{"image":"`+image64+`","label":"Zoë"}`), 201, edgelens.ExampleSpec{Label: "Zoë"}, anImage, ""},
		"options":             {with("?label=open&extractor=x&fit=pad&region=0,0,0.5,1", "image/jpeg", anImage), 201, edgelens.ExampleSpec{Label: "open", Request: &edgelens.Request{Model: "x", View: view}}, anImage, ""},
		"options in JSON":     {with("", "application/json", `{"image":"`+image64+`","label":"a","extractor":"x","fit":"pad","region":{"x":0,"y":0,"width":0.5,"height":1}}`), 201, edgelens.ExampleSpec{Label: "a", Request: &edgelens.Request{Model: "x", View: view}}, anImage, ""},
		"result, JSON":        {with("", "application/json", `{"result_id":"`+correctsID+`","label":"open"}`), 201, edgelens.ExampleSpec{Label: "open", Result: correctsID}, "", `"result_id":"` + correctsID},
		"result, form":        {ofForm(field{"result_id", correctsID, ""}, field{"label", "open", ""}), 201, edgelens.ExampleSpec{Label: "open", Result: correctsID}, "", ""},
		"result, urlencoded":  {with("", "application/x-www-form-urlencoded", "label=open&result_id="+correctsID), 201, edgelens.ExampleSpec{Label: "open", Result: correctsID}, "", ""},
		"result, query alone": {with("?label=open&result_id="+correctsID, "", ""), 201, edgelens.ExampleSpec{Label: "open", Result: correctsID}, "", ""},
		"result and image":    {with("?label=open&result_id="+correctsID, "image/jpeg", anImage), 201, edgelens.ExampleSpec{Label: "open", Result: correctsID}, anImage, ""},
		"no label":            {with("", "image/jpeg", anImage), 400, edgelens.ExampleSpec{}, "", "label=open"},
		"an empty label":      {ofForm(file, field{"label", "  ", ""}), 400, edgelens.ExampleSpec{}, "", "no label"},
		"label is a number":   {with("", "application/json", `{"image":"`+image64+`","label":7}`), 400, edgelens.ExampleSpec{}, "", "label"},
		"misspelled":          {with("", "application/json", `{"image":"`+image64+`","lable":"open"}`), 400, edgelens.ExampleSpec{}, "", "did you mean label"},
		"two labels":          {with("?label=a", "application/json", `{"image":"`+image64+`","label":"b"}`), 400, edgelens.ExampleSpec{}, "", "twice"},
		"no image":            {with("", "application/json", `{"label":"open"}`), 400, edgelens.ExampleSpec{}, "", `no member \"image\"`},
		"no body":             {with("?label=open", "", ""), 400, edgelens.ExampleSpec{}, "", "no body"},
		"not a result's id":   {with("?label=open&result_id=7", "", ""), 400, edgelens.ExampleSpec{}, "", "result_id"},
		"an unknown result":   {with("?label=open&result_id="+noID, "", ""), 404, edgelens.ExampleSpec{}, "", "no result"},
		"a bad fit":           {with("?label=open&fit=wide", "image/jpeg", anImage), 400, edgelens.ExampleSpec{}, "", "fit"},
		"top_k is no option":  {with("?label=open&top_k=3", "image/jpeg", anImage), 400, edgelens.ExampleSpec{}, "", "top_k"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &learned{}
			s := newLearning(t, l)
			query, contentType, body := test.request()
			w := s.do(request("POST", "/api/datasets/gate/examples"+query, contentType, body))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
				t.Fatalf("%d %s, want %d with %s", w.Code, w.Body, test.status, test.says)
			}
			if test.status != 201 {
				if len(l.added) != 0 {
					t.Errorf("added %+v", l.added)
				}
				return
			}
			got := l.added[0]
			if test.want.Request == nil {
				test.want.Request = &edgelens.Request{}
			}
			if got.Dataset != "gate" || got.Label != test.want.Label || got.Result != test.want.Result || string(got.Request.Image) != test.image ||
				got.Request.Model != test.want.Request.Model || got.Request.View != test.want.Request.View || got.Request.ID == "" {
				t.Errorf("%+v of %+v", got, got.Request)
			}
		})
	}
}

// What the Datasets refuse has the status of the table, and their reason.
func TestAddExampleRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"conflict": {fmt.Errorf("%w: the dataset has this image with the label \"open\"", edgelens.ErrConflict), 409, "has this image"},
		"limit":    {&edgelens.NoRoom{Reason: "The datasets have 2 examples, which is the limit (learn.max_examples)."}, 507, "learn.max_examples"},
		"image":    {fmt.Errorf("%w: it is truncated", edgelens.ErrBadImage), 422, "truncated"},
		"result":   {fmt.Errorf("%w: the image is not kept", edgelens.ErrNotFound), 404, "not kept"},
	} {
		s := newLearning(t, &learned{err: test.err})
		if w := s.do(request("POST", "/api/datasets/gate/examples?label=open", "image/jpeg", strings.NewReader(anImage))); w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s: %d %s, want %d with %s", name, w.Code, w.Body, test.status, test.says)
		}
	}
	s := newLearning(t, &learned{existing: true})
	if w := s.do(request("POST", "/api/datasets/gate/examples?label=open", "image/jpeg", strings.NewReader(anImage))); w.Code != 200 {
		t.Errorf("an earlier one: %d %s", w.Code, w.Body)
	}
}

func TestReadDatasets(t *testing.T) {
	l := &learned{}
	s := newLearning(t, l)
	for path, want := range map[string]string{
		"/api/datasets":      `"name":"gate"`,
		"/api/datasets/gate": `"labels":[{"count":1,"label":"open"}]`,
		"/api/datasets/gate/examples?label=open&limit=7&cursor=abc": `"next":"next"`,
	} {
		if w := s.do(request("GET", path, "", nil)); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if f := l.filter; f.Dataset != "gate" || f.Label != "open" || f.Limit != 7 || f.Cursor != "abc" || f.Visible != nil {
		t.Errorf("filter %+v", f)
	}
	w := s.do(request("GET", "/api/datasets/gate/examples/"+exampleID+"/image", "", nil))
	if w.Code != 200 || w.Body.String() != anImage || w.Header().Get("Content-Type") != "image/jpeg" || w.Header().Get("Cache-Control") != "private" {
		t.Errorf("image: %d %v", w.Code, w.Header())
	}
	again := request("GET", "/api/datasets/gate/examples/"+exampleID+"/image", "", nil)
	again.Header.Set("If-None-Match", w.Header().Get("ETag"))
	if w := s.do(again); w.Code != 304 {
		t.Errorf("image again: %d", w.Code)
	}
	for _, path := range []string{"/api/datasets/none", "/api/datasets/none/examples", "/api/datasets/gate/examples/" + noID + "/image"} {
		if w := s.do(request("GET", path, "", nil)); w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	without := newServer(t, nil)
	if w := without.do(request("GET", "/api/datasets", "", nil)); w.Code != 200 || !strings.Contains(w.Body.String(), `{"datasets":[]}`) {
		t.Errorf("a service without: %d %s", w.Code, w.Body)
	}
}

func TestChangeExamples(t *testing.T) {
	one := "/api/datasets/gate/examples/" + exampleID
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		change             string
	}{
		"relabel":        {"PATCH", one, `{"label":"closed"}`, 200, "relabel gate " + exampleID + " closed"},
		"no label":       {"PATCH", one, `{}`, 200, "relabel gate " + exampleID + " "}, // the Datasets refuse it
		"another member": {"PATCH", one, `{"label":"closed","dataset":"x"}`, 400, ""},
		"no object":      {"PATCH", one, `"closed"`, 400, ""},
		"unknown":        {"PATCH", "/api/datasets/gate/examples/" + noID, `{"label":"closed"}`, 404, ""},
		"remove":         {"DELETE", one, "", 204, "remove gate " + exampleID},
		"remove all":     {"DELETE", "/api/datasets/gate", "", 204, "remove gate"},
		"embed":          {"POST", "/api/datasets/gate/embed?extractor=y", "", 200, "embed gate y"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &learned{}
			s := newLearning(t, l)
			w := s.do(request(test.method, test.path, "application/json", strings.NewReader(test.body)))
			if w.Code != test.status || test.change != strings.Join(l.changes, "") {
				t.Errorf("%d %s, changes %q", w.Code, w.Body, l.changes)
			}
		})
	}
}

// A client sees the examples that it gave, and those of the devices that its key is for; with the right to see all, those of
// others; and changes its own alone.
func TestExamplesHaveOwner(t *testing.T) {
	l := &learned{}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Datasets = l })
	own, token, err := g.keys.CreateKey(t.Context(), edgelens.Key{Name: "own", Scopes: []edgelens.Scope{edgelens.ScopeLearn}})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{
		"own":    token,
		"other":  g.token(scoped(edgelens.ScopeLearn)),
		"door":   g.token(edgelens.Key{Name: "door", Scopes: []edgelens.Scope{edgelens.ScopeLearn}, Devices: []string{"door"}}),
		"seeing": g.token(edgelens.Key{Name: "seeing", Scopes: []edgelens.Scope{edgelens.ScopeLearn}, SeeAll: true}),
		"page":   g.token(edgelens.Key{Name: "page", Scopes: []edgelens.Scope{edgelens.ScopePage}, SeeAll: true}),
		"admin":  g.token(scoped(edgelens.ScopeAdmin)),
	}
	l.owner, l.device, l.others = own.ID, "door", 1
	for name, want := range map[string][3]int{ // of the image, of a change, of removing all
		"own": {200, 200, 403}, "other": {404, 404, 403}, "door": {200, 403, 403}, "seeing": {200, 403, 403}, "page": {200, 403, 403}, "admin": {200, 200, 204},
	} {
		one := "/api/datasets/gate/examples/" + exampleID
		got := [3]int{
			g.do(bearing(keys[name], request("GET", one+"/image", "", nil))).Code,
			g.do(bearing(keys[name], request("PATCH", one, "application/json", strings.NewReader(`{"label":"closed"}`)))).Code,
			g.do(bearing(keys[name], request("DELETE", "/api/datasets/gate", "", nil))).Code,
		}
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if w := g.do(bearing(keys[name], request("GET", "/api/datasets/gate/examples", "", nil))); w.Code != 200 {
			t.Errorf("%s: %d", name, w.Code)
		}
		if all := slices.Contains([]string{"seeing", "page", "admin"}, name); (l.filter.Visible == nil) != all {
			t.Errorf("%s lists by %+v", name, l.filter.Visible)
		}
	}
	l.others = 0
	if w := g.do(bearing(token, request("DELETE", "/api/datasets/gate", "", nil))); w.Code != 204 {
		t.Errorf("removing a dataset of own examples: %d %s", w.Code, w.Body)
	}
}

// To take the image of a result, a key must be one that may read it.
func TestExampleOfResultNeedsResults(t *testing.T) {
	for name, test := range map[string]struct {
		key   edgelens.Key
		owner string
		want  int
	}{
		"learn alone":       {scoped(edgelens.ScopeLearn), "", 403},
		"of another client": {scoped(edgelens.ScopeLearn, edgelens.ScopeResults), "", 404},
		"sees all":          {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeLearn, edgelens.ScopeResults}, SeeAll: true}, "", 201},
		"by the page":       {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeLearn, edgelens.ScopePage}, SeeAll: true}, "", 201},
	} {
		t.Run(name, func(t *testing.T) {
			l := &learned{}
			g := newGuarded(t, func(_ *api.Config, p *api.Parts) {
				p.Datasets, p.History = l, &history{results: []edgelens.StoredResult{{ID: correctsID, Owner: "someone"}}}
			})
			r := request("POST", "/api/datasets/gate/examples?label=open&result_id="+correctsID, "", nil)
			if w := g.do(bearing(g.token(test.key), r)); w.Code != test.want || (test.want == 201) != (len(l.added) == 1) {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.want)
			}
		})
	}
}

// A key that is bounded to models makes embeddings by these alone.
func TestExtractorsAreBounded(t *testing.T) {
	for name, test := range map[string]struct {
		models  []string
		path    string
		status  int
		further string
	}{
		"the dataset's":          {[]string{"x"}, "gate", 201, ""},
		"another":                {[]string{"y"}, "gate", 403, ""},
		"the default of a new":   {[]string{"x"}, "new", 403, ""},
		"a named one of a new":   {[]string{"x"}, "new", 201, "&extractor=x"},
		"another one of the new": {[]string{"x"}, "new", 403, "&extractor=y"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Datasets = &learned{} })
			token := g.token(edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeLearn}, Models: test.models})
			r := request("POST", "/api/datasets/"+test.path+"/examples?label=open"+test.further, "image/jpeg", strings.NewReader(anImage))
			if w := g.do(bearing(token, r)); w.Code != test.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.status)
			}
		})
	}
}

// The audit log has who changed what, and neither labels nor images.
func TestLearningIsAudited(t *testing.T) {
	l := &learned{}
	s := newLearning(t, l)
	s.do(request("POST", "/api/datasets/gate/examples?label=Ottilie", "image/jpeg", strings.NewReader(anImage)))
	s.do(request("PATCH", "/api/datasets/gate/examples/"+exampleID, "", strings.NewReader(`{"label":"Ottilie"}`)))
	s.do(request("DELETE", "/api/datasets/gate/examples/"+exampleID, "", nil))
	s.do(request("DELETE", "/api/datasets/gate", "", nil))
	s.do(request("POST", "/api/datasets/gate/embed", "", nil))
	log := s.log.String()
	for _, action := range []string{"add_example", "relabel_example", "remove_example", "remove_dataset", "embed_dataset"} {
		if !strings.Contains(log, "event=access action="+action+" path=/api/datasets/gate") {
			t.Errorf("no %s in\n%s", action, log)
		}
	}
	if strings.Contains(log, "Ottilie") || !strings.Contains(log, "example="+exampleID) {
		t.Errorf("log:\n%s", log)
	}
}

// A page of another origin adds nothing, although a browser on this machine needs no key.
func TestForeignPageAddsNoExample(t *testing.T) {
	l := &learned{}
	s := newLearning(t, l)
	r := request("POST", "/api/datasets/gate/examples?label=open", "text/plain", strings.NewReader(anImage))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	if w := s.do(r); w.Code != http.StatusForbidden || len(l.added) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestErasureCountsExamples(t *testing.T) {
	s := newServer(t, func(_ *api.Config, p *api.Parts) {
		p.Erasure = &eraser{answer: edgelens.Erased{Results: 1, Examples: 2, Complete: true}}
	})
	w := s.do(request("DELETE", "/api/results?device=door", "", nil))
	var got struct{ Examples int }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Examples != 2 {
		t.Errorf("%s, %v", w.Body, err)
	}
	if !strings.Contains(s.log.String(), "examples=2") {
		t.Errorf("log:\n%s", s.log)
	}
}
