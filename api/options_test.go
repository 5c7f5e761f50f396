package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// otherJobs and otherQueue are the methods that no test here calls.
type (
	otherJobs  = api.Jobs
	otherQueue = api.Queue
)

// jobs keep the submitted jobs.
type jobs struct {
	otherJobs
	otherQueue
	spec  edgelens.JobSpec
	image []byte
}

func (j *jobs) Submit(_ context.Context, spec edgelens.JobSpec, image []byte) (edgelens.Job, bool, error) {
	j.spec, j.image = spec, image
	return edgelens.Job{ID: jobID, Status: edgelens.JobQueued}, false, nil
}

// field is a part of a form; with a file name it is a file.
type field struct{ name, value, file string }

// fields makes a form of parts, in their order.
func fields(parts ...field) (contentType string, body *bytes.Buffer) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, p := range parts {
		if p.file != "" {
			part, _ := w.CreateFormFile(p.name, p.file)
			_, _ = part.Write([]byte(p.value))
		} else {
			_ = w.WriteField(p.name, p.value)
		}
	}
	_ = w.Close()
	return w.FormDataContentType(), body
}

// anImage begins like a JPEG.
const anImage = "\xff\xd8\xff\xe0 not really an image \x00\xfb\xff\xfe"

var image64 = base64.StdEncoding.EncodeToString([]byte(anImage))

// ways are the places for options beside an image; the first value of each pair
// is the name. Values of JSON are written as they are.
var ways = map[string]func(target string, options [][2]string) *http.Request{
	"query": func(target string, options [][2]string) *http.Request {
		var query []string
		for _, o := range options {
			query = append(query, o[0]+"="+strings.Trim(o[1], `"`))
		}
		return formRequest(target+"?"+strings.Join(query, "&"), "file", []byte(anImage))
	},
	"form, in front": func(target string, options [][2]string) *http.Request {
		var parts []field
		for _, o := range options {
			parts = append(parts, field{o[0], strings.Trim(o[1], `"`), ""})
		}
		contentType, body := fields(append(parts, field{"file", anImage, "cat.jpg"})...)
		return request("POST", target, contentType, body)
	},
	"form, behind": func(target string, options [][2]string) *http.Request {
		parts := []field{{"file", anImage, "cat.jpg"}}
		for _, o := range options {
			parts = append(parts, field{o[0], strings.Trim(o[1], `"`), ""})
		}
		contentType, body := fields(parts...)
		return request("POST", target, contentType, body)
	},
	"JSON": func(target string, options [][2]string) *http.Request {
		text := `{"image":"` + image64 + `"`
		for _, o := range options {
			text += fmt.Sprintf(",%q:%s", o[0], o[1])
		}
		return request("POST", target, "application/json", strings.NewReader(text+"}"))
	},
	"urlencoded": func(target string, options [][2]string) *http.Request {
		text := "image=" + strings.ReplaceAll(image64, "+", "%2B")
		for _, o := range options {
			text += "&" + o[0] + "=" + strings.Trim(o[1], `"`)
		}
		return request("POST", target, "application/x-www-form-urlencoded", strings.NewReader(text))
	},
}

// Every option works in every place, and on every route.
func TestOptionsEverywhere(t *testing.T) {
	given := [][2]string{{"model", `"m"`}, {"top_k", "7"}, {"min_score", "0.25"}, {"fit", `"sweep"`}, {"region", `"0.25,0,0.5,1"`}, {"cache", "false"}}
	view := edgelens.View{Fit: edgelens.FitSweep, Region: edgelens.Region{X: 0.25, Width: 0.5, Height: 1}}
	for way, send := range ways {
		for _, target := range []string{"/api/recognize", "/api/recognize_cached"} {
			t.Run(way+target, func(t *testing.T) {
				s := newServer(t, nil)
				w := s.do(send(target, given))
				got := s.recognizer.last
				if w.Code != 200 || got.Model != "m" || got.TopK != 7 || got.MinScore != 0.25 || got.View != view || !got.NoCache || string(got.Image) != anImage || w.Header().Get("X-Cache") != "BYPASS" {
					t.Errorf("got %d %s for %+v", w.Code, w.Body, got)
				}
			})
		}
		for target, prefer := range map[string]string{"/api/recognize_async": "", "/api/recognize": "respond-async, wait=10"} {
			t.Run(way+target+prefer, func(t *testing.T) {
				j := &jobs{}
				s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Jobs, p.Queue = j, j })
				r := send(target, append(given, [2]string{"queue", `"bulk"`}))
				if prefer != "" {
					r.Header["Prefer"] = []string{"handling=strict", prefer}
				}
				w := s.do(r)
				want := edgelens.JobSpec{Source: "http", Queue: "bulk", Model: "m", TopK: 7, MinScore: 0.25, View: view, NoCache: true, SHA256: j.spec.SHA256, Bytes: int64(len(anImage))}
				if w.Code != 202 || j.spec != want || string(j.image) != anImage {
					t.Errorf("got %d %s for %+v", w.Code, w.Body, j.spec)
				}
			})
		}
	}
}

// Values that are rejected in every place, and words of the response.
func TestInvalidOptions(t *testing.T) {
	for name, c := range map[string]struct {
		options [][2]string
		want    string
	}{
		"top_k, no number":          {[][2]string{{"top_k", `"three"`}}, "a whole number from 1 to 1000"},
		"top_k, a fraction":         {[][2]string{{"top_k", "3.5"}}, "a whole number from 1 to 1000"},
		"top_k, nothing":            {[][2]string{{"top_k", "0"}}, "a whole number from 1 to 1000"},
		"top_k, negative":           {[][2]string{{"top_k", "-1"}}, "a whole number"},
		"top_k, too large":          {[][2]string{{"top_k", "1001"}}, "a whole number"},
		"top_k, beyond 64 bits":     {[][2]string{{"top_k", "99999999999999999999999"}}, "a whole number"},
		"top_k, hexadecimal":        {[][2]string{{"top_k", `"0x10"`}}, "a whole number"},
		"min_score, percent":        {[][2]string{{"min_score", `"50"`}}, "a number from 0 to 1"},
		"min_score, comma":          {[][2]string{{"min_score", `"0,5"`}}, "decimal point"},
		"min_score, NaN":            {[][2]string{{"min_score", `"NaN"`}}, "a number from 0 to 1"},
		"min_score, infinity":       {[][2]string{{"min_score", `"inf"`}}, "a number from 0 to 1"},
		"min_score, negative":       {[][2]string{{"min_score", "-0.1"}}, "a number from 0 to 1"},
		"fit, unknown":              {[][2]string{{"fit", `"crop"`}}, "center, stretch, sweep or pad"},
		"fit, uppercase":            {[][2]string{{"fit", `"CENTER"`}}, "center, stretch, sweep or pad"},
		"fit, two":                  {[][2]string{{"fit", `"center,pad"`}}, "center, stretch, sweep or pad"},
		"region, NaN":               {[][2]string{{"region", `"NaN,0,1,1"`}}, "each from 0 to 1"},
		"region, infinity":          {[][2]string{{"region", `"0,0,Inf,1"`}}, "each from 0 to 1"},
		"region, negative":          {[][2]string{{"region", `"-0.1,0,1,1"`}}, "each from 0 to 1"},
		"region, no size":           {[][2]string{{"region", `"0.5,0.5,0,0"`}}, "each from 0 to 1"},
		"region, all zero":          {[][2]string{{"region", `"0,0,0,0"`}}, "each from 0 to 1"},
		"region, pixels":            {[][2]string{{"region", `"0,0,1e9,1"`}}, "each from 0 to 1"},
		"region, outside":           {[][2]string{{"region", `"0.5,0,0.6,1"`}}, "x + width and y + height at most 1"},
		"region, three numbers":     {[][2]string{{"region", `"0,0,1"`}}, "x,y,width,height"},
		"region, five numbers":      {[][2]string{{"region", `"0,0,1,1,1"`}}, "x,y,width,height"},
		"region, an array":          {[][2]string{{"region", `"[0,0,1,1]"`}}, "x,y,width,height"},
		"region, an object as text": {[][2]string{{"region", `"{x:0,y:0,width:1,height:1}"`}}, "x,y,width,height"},
		"region, words":             {[][2]string{{"region", `"left"`}}, "x,y,width,height"},
		"fit twice":                 {[][2]string{{"fit", `"center"`}, {"fit", `"pad"`}}, "twice"},
		"region twice":              {[][2]string{{"region", `"0,0,1,1"`}, {"region", `"0,0,0.5,1"`}}, "twice"},
		"Fit":                       {[][2]string{{"Fit", `"pad"`}}, "did you mean fit?"},
		"fits":                      {[][2]string{{"fits", `"pad"`}}, "did you mean fit?"},
		"fit_mode":                  {[][2]string{{"fit_mode", `"pad"`}}, "did you mean fit?"},
		"the view of an answer":     {[][2]string{{"view", `"pad"`}}, "did you mean fit?"},
		"Region":                    {[][2]string{{"Region", `"0,0,1,1"`}}, "did you mean region?"},
		"regoin":                    {[][2]string{{"regoin", `"0,0,1,1"`}}, "did you mean region?"},
		"roi":                       {[][2]string{{"roi", `"0,0,1,1"`}}, "did you mean region?"},
		"cache, maybe":              {[][2]string{{"cache", `"maybe"`}}, "true or false"},
		"cache, no":                 {[][2]string{{"cache", `"no"`}}, "true or false"},
		"queue, unknown":            {[][2]string{{"queue", `"fast"`}}, "interactive or bulk"},
		"top_k twice":               {[][2]string{{"top_k", "3"}, {"top_k", "4"}}, "twice"},
		"model twice":               {[][2]string{{"model", `"m"`}, {"model", `"n"`}}, "twice"},
		"topk":                      {[][2]string{{"topk", "1"}}, "did you mean top_k?"},
		"top-k":                     {[][2]string{{"top-k", "1"}}, "did you mean top_k?"},
		"topK":                      {[][2]string{{"topK", "1"}}, "did you mean top_k?"},
		"tpo_k":                     {[][2]string{{"tpo_k", "1"}}, "did you mean top_k?"},
		"Model":                     {[][2]string{{"Model", `"m"`}}, "did you mean model?"},
		"modle":                     {[][2]string{{"modle", `"m"`}}, "did you mean model?"},
		"model_name":                {[][2]string{{"model_name", `"m"`}}, "did you mean model?"},
		"minScore":                  {[][2]string{{"minScore", "0.5"}}, "did you mean min_score?"},
		"min_socre":                 {[][2]string{{"min_socre", "0.5"}}, "did you mean min_score?"},
		"threshold":                 {[][2]string{{"threshold", "0.5"}}, "did you mean min_score?"},
		"Min-Confidence":            {[][2]string{{"Min-Confidence", "0.5"}}, "did you mean min_score?"},
		"no_cache":                  {[][2]string{{"no_cache", "true"}}, "did you mean cache?"},
		"queues":                    {[][2]string{{"queues", `"bulk"`}}, "did you mean queue?"},
		"one right, one misspelt":   {[][2]string{{"top_k", "1"}, {"modell", `"m"`}}, "did you mean model?"},
		"queue without being a job": {[][2]string{{"queue", `"bulk"`}}, "respond-async"},
	} {
		for way, send := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				j := &jobs{}
				s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Jobs, p.Queue = j, j })
				targets := []string{"/api/recognize", "/api/recognize_async"}
				if name == "queue without being a job" {
					targets = targets[:1]
				}
				for _, target := range targets {
					w := s.do(send(target, c.options))
					if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), c.want) {
						t.Errorf("%s: got %d %v, want %q", target, w.Code, p["detail"], c.want)
					}
				}
				if s.recognizer.last != nil || j.image != nil {
					t.Error("it was recognized all the same")
				}
			})
		}
	}
}

// JSON has types: a value of another type is not converted.
func TestJSONOptionTypes(t *testing.T) {
	for option, want := range map[string]string{
		`"top_k":"3"`: `"top_k" must be a whole number`, `"top_k":true`: "top_k", `"top_k":[3]`: "top_k", `"top_k":{}`: "top_k",
		`"min_score":"0.5"`: `{"min_score": 0.5}`, `"cache":"false"`: `{"cache": false}`, `"cache":0`: "cache", `"model":7`: "model",
		`"fit":1`: `{"fit": "center"}`, `"fit":""`: "fit", `"fit":["pad"]`: "fit", `"fit":{}`: "fit", `"region":0.5`: `{"region": "0.25,0,0.5,1"}`, `"region":true`: "region",
		`"region":""`: "region", `"region":[0,0,1,1]`: "region", `"region":[]`: "region", `"region":{}`: "region",
		`"region":{"x":0,"y":0,"width":1}`: "region", `"region":{"x":0,"y":0,"width":1,"height":1,"depth":1}`: "region", `"region":{"x":0,"y":0,"w":1,"height":1}`: "region",
		`"region":{"x":"0","y":0,"width":1,"height":1}`: "region", `"region":{"x":null,"y":0,"width":1,"height":1}`: "region", `"region":{"X":0,"y":0,"width":1,"height":1}`: "region",
		`"region":{"x":0,"y":0,"width":1e9,"height":1}`: "region", `"region":{"x":0,"y":0,"width":1e999,"height":1}`: "region", `"region":{"x":-0.1,"y":0,"width":1,"height":1}`: "region",
		`"region":{"x":0,"y":0,"width":0,"height":0}`: "region", `"region":{"x":0.5,"y":0,"width":0.6,"height":1}`: "region", `"region":{"x":NaN,"y":0,"width":1,"height":1}`: "JSON",
		`"region":{"x":0,"x":0.5,"y":0,"width":0.5,"height":1}`: "region", `"region":{"x":0,"x":0,"y":0,"width":1}`: "region",
		`"region":{"x":0,"y":0,"width":1,"height":1},"region":"0,0,0.5,1"`: "twice", `"region":"` + strings.Repeat("0", 300) + `,0,1,1"`: "region",
	} {
		s := newServer(t, nil)
		w := s.do(request("POST", "/api/recognize", "application/json", strings.NewReader(`{`+option+`,"image":"`+image64+`"}`)))
		if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), want) {
			t.Errorf("%s: got %d %v", option, w.Code, p["detail"])
		}
	}
	s := newServer(t, nil)
	w := s.do(request("POST", "/api/recognize", "application/json", strings.NewReader(
		`{"model":null,"cache":null,"fit":null,"region":null,"top_k":3e0,"min_score":2.5e-1,"image":"`+image64+`"}`)))
	if got := s.recognizer.last; w.Code != 200 || got.TopK != 3 || got.MinScore != 0.25 || got.NoCache || got.Model != "" || got.View != (edgelens.View{}) {
		t.Errorf("got %d %s, %+v", w.Code, w.Body, got)
	}
}

// In JSON, a region may be an object, in the order of the client; the same region in
// another form is the same value.
func TestRegionObjects(t *testing.T) {
	want := edgelens.Region{X: 0.25, Width: 0.5, Height: 1}
	const object = `"region":{ "height":1.0, "x":2.5e-1,"width":0.5 ,"y":0 }`
	for name, c := range map[string]struct{ query, members string }{
		"object": {"", object}, "text": {"", `"region":" 0.25, 0,0.50 ,1"`}, "escaped": {"", `"region":"0.25\u002c0,0.5,1"`},
		"both": {"", object + `,"region":"0.25,0,0.5,1"`}, "also in the query": {"?region=.25,0,.5,1", object}, "escaped in the query": {"?region=0.25%2C0%2c+0.5,1", `"fit":null`},
	} {
		s := newServer(t, nil)
		w := s.do(request("POST", "/api/recognize"+c.query, "application/json", strings.NewReader(`{"image":"`+image64+`",`+c.members+`}`)))
		if got := s.recognizer.last; w.Code != 200 || got.View != (edgelens.View{Region: want}) {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	s := newServer(t, nil)
	w := s.do(request("POST", "/api/recognize?region=0,0,0.5,1", "application/json", strings.NewReader(`{"image":"`+image64+`",`+object+`}`)))
	if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), "in the query and in the JSON") {
		t.Errorf("another region in the query: got %d %v", w.Code, p["detail"])
	}
}

// An empty option is none in a form, and an error in the query.
func TestEmptyViews(t *testing.T) {
	for way, send := range ways {
		for _, name := range []string{"fit", "region"} {
			s := newServer(t, nil)
			w := s.do(send("/api/recognize", [][2]string{{name, `""`}}))
			if refused := way == "query" || way == "JSON"; refused {
				if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), name) || s.recognizer.last != nil {
					t.Errorf("%s, no %s: got %d %v", way, name, w.Code, p["detail"])
				}
			} else if w.Code != 200 || s.recognizer.last.View != (edgelens.View{}) {
				t.Errorf("%s, no %s: got %d %s", way, name, w.Code, w.Body)
			}
		}
	}
}

// Other short words are no misspelled fit.
func TestOtherShortFields(t *testing.T) {
	s := newServer(t, nil)
	w := s.do(ways["JSON"]("/api/recognize", [][2]string{{"fid", "7"}, {"fmt", `"jpeg"`}, {"bit", "1"}, {"it", "1"}}))
	if got := w.Header().Get("X-Ignored-Fields"); w.Code != 200 || got != "fid, fmt, bit, it" {
		t.Errorf("got %d %s and %q", w.Code, w.Body, got)
	}
}

// The same option in two places must have the same value.
func TestOptionsInTwoPlaces(t *testing.T) {
	for query, want := range map[string]int{"?top_k=3": 200, "?top_k=3.0": 200, "?top_k=4": 400} {
		for way, send := range ways {
			if way == "query" {
				continue
			}
			s := newServer(t, nil)
			w := s.do(send("/api/recognize"+query, [][2]string{{"top_k", "3"}}))
			if w.Code != want || want == 400 && !strings.Contains(w.Body.String(), "in the query and in the ") {
				t.Errorf("%s and %s: got %d %s", query, way, w.Code, w.Body)
			}
		}
	}
}

// Additional fields of existing clients are ignored, and listed in the response.
func TestIgnoredFields(t *testing.T) {
	extra := [][2]string{{"device", `"door"`}, {"user_id", "7"}, {"id", `"x"`}, {"timestamp", "1777600000"}, {"name", `"cat.jpg"`}, {"image_id", "3"}, {"é,ü\t", "1"}}
	for way, send := range ways {
		if way == "query" {
			continue
		}
		j := &jobs{}
		s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Jobs, p.Queue = j, j })
		for target, status := range map[string]int{"/api/recognize": 200, "/api/recognize_async": 202} {
			w := s.do(send(target, extra))
			if got := w.Header().Get("X-Ignored-Fields"); w.Code != status || !strings.HasPrefix(got, "device, user_id, id, timestamp, name, image_id, ") || strings.Trim(got[48:], "?") != "" {
				t.Errorf("%s, %s: got %d %s and %q", way, target, w.Code, w.Body, got)
			}
		}
	}
	var many [][2]string
	for i := range 50 {
		many = append(many, [2]string{fmt.Sprintf("x%d%s", i, strings.Repeat("x", 100)), "1"})
	}
	s := newServer(t, nil)
	w := s.do(ways["JSON"]("/api/recognize", many))
	if got := w.Header().Get("X-Ignored-Fields"); w.Code != 200 || len(got) > 500 || !strings.HasSuffix(got, ", ...") {
		t.Errorf("got %d and %q", w.Code, got)
	}
	if w := s.do(formRequest("/api/recognize", "file", []byte(anImage))); w.Header().Values("X-Ignored-Fields") != nil {
		t.Error("the header is there, though nothing was ignored")
	}
}

// A query string that cannot be read is rejected on every route, and so are
// parameters that an operation does not have.
func TestQueries(t *testing.T) {
	for target, c := range map[string]struct {
		status int
		want   string
	}{
		"/api/results?limit=%zz":                           {400, "%25"},
		"/api/results?limit=5;status=queued":               {400, "%3B"},
		"/healthz?%zz":                                     {400, "%25"},
		"/readyz?a;b":                                      {400, "%3B"},
		"/metrics?%":                                       {400, "%25"},
		"/docs?%1":                                         {400, "%25"},
		"/openapi.yaml?;":                                  {400, "%3B"},
		"/nowhere?%zz":                                     {400, "%25"},
		"/healthz?_=1777600000":                            {200, ""},
		"/docs?utm_source=x":                               {200, ""},
		"/api/results?outcome=recognised":                  {400, "recognized, uncertain, no_image or error"},
		"/api/results?outcome=":                            {400, "recognized, uncertain"},
		"/api/results?outcome=Recognized":                  {400, "recognized, uncertain"},
		"/api/results?outcome=error&outcome=error":         {200, ""},
		"/api/results?outcome=error&outcome=no_image":      {400, "twice"},
		"/api/results?lable=cat":                           {400, "did you mean label?"},
		"/api/results?from=2026-01-01":                     {400, "cursor, device, label, limit, outcome, since, source, until"},
		"/api/results?since=2026-05-01T10:00:00+02:00":     {400, "%2B"},
		"/api/results?since=1777600000":                    {400, "RFC 3339"},
		"/api/results?since=2026-05-01":                    {400, "RFC 3339"},
		"/api/results?since=":                              {400, "RFC 3339"},
		"/api/results?since=2026-05-01t10:00:00z":          {200, ""},
		"/api/results?until=2026-05-01T10:00:00.5%2B02:00": {200, ""},
		"/api/results?until=2026-02-30T10:00:00Z":          {400, "RFC 3339"},
		"/api/results?limit=0":                             {400, "a whole number from 1 to 1000"},
		"/api/results?limit=ten":                           {400, "a whole number from 1 to 1000"},
		"/api/results?limit=":                              {400, "a whole number from 1 to 1000"},
		"/api/results?limit=5.0":                           {200, ""},
		"/api/results?limit=5&limit=6":                     {400, "twice"},
		"/api/results?cursor=" + strings.Repeat("x", 201):  {400, "200 characters"},
		"/api/devices?state=new":                           {400, "accepted, quarantined or refused"},
		"/api/devices?online=maybe":                        {400, "true or false"},
		"/api/devices?online=TRUE":                         {200, ""},
		"/api/devices?status=accepted":                     {400, "did you mean state?"},
		"/api/models?x":                                    {400, "this path has none"},
		"/api/models/m?verbose=1":                          {400, "this path has none"},
		"/api/devices/new?=x":                              {400, "this path has none"},
		"/api/results?=x":                                  {400, "no parameter"},
		"/api/results?&&limit=3&":                          {200, ""},
		"/api/results/" + resultID + "/image?size=1":       {400, "this path has none"},
		"/api/results?" + strings.Repeat("x", 5000):        {400, "no parameter"},
	} {
		t.Run(target[:min(len(target), 60)], func(t *testing.T) {
			h := &history{}
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Devices, p.History = &devices{}, h })
			w := s.do(request("GET", target, "", nil))
			if w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if c.status == 400 {
				p := problem(t, w)
				if detail := p["detail"].(string); !strings.Contains(detail, c.want) || len(detail) > 500 {
					t.Errorf("got %q, want %q", detail, c.want)
				}
			}
		})
	}
	for target, want := range map[string]string{
		"/api/devices/" + door + "/commands?timeout=5s": "path has ttl", "/?tll=5s": "did you mean ttl?", "/api/devices/" + door + "/commands?ttl=5s&ttl=6s": "twice",
		"/?ttl=%zz": "%25", "/?ttl=": "2s to 24h", "/?ttl=soon": "2s to 24h",
	} {
		s, d := newDoors(t, nil)
		w := s.do(request("POST", target, "", strings.NewReader(`{"cmd":"open"}`)))
		if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), want) || len(d.sent) > 0 {
			t.Errorf("%s: got %d %v, and %v was sent", target, w.Code, p["detail"], d.sent)
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string
		want int
	}{"none": {nil, 200}, "200 bytes": {[]string{strings.Repeat("k", 200)}, 200}, "201 bytes": {[]string{strings.Repeat("k", 201)}, 400}, "two": {[]string{"a", "b"}, 400}} {
		for _, target := range []string{"/api/recognize", "/api/recognize_cached", "/api/recognize_async"} {
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Jobs, p.Queue = &jobs{}, &jobs{} })
			r := formRequest(target, "file", []byte(anImage))
			r.Header["Idempotency-Key"] = c.keys
			if w := s.do(r); w.Code != c.want && !(w.Code == 202 && c.want == 200) {
				t.Errorf("%s, %s: got %d %s", name, target, w.Code, w.Body)
			}
		}
	}
}
