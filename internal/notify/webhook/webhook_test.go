package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/internal/notify/webhook"
)

// images holds one image.
type images struct{}

var jpeg = []byte("\xff\xd8\xff\xe0 an image")

func (images) Image(_ context.Context, id string) ([]byte, error) {
	switch id {
	case "job":
		return jpeg, nil
	case "broken":
		return nil, errors.New("the disk is broken")
	}
	return nil, fmt.Errorf("%w: gone", edgelens.ErrNotFound)
}

// passed is a record of a granted access, recognized.
func passed() *edgelens.Delivery {
	at := time.Date(2026, 4, 10, 8, 0, 7, 0, time.UTC)
	return &edgelens.Delivery{
		Seq: 1, Sink: webhook.Sink, Image: "job",
		Record: edgelens.Record{
			ID: "8f7f3bb4-0000-8000-8000-000000000000", Dialect: "fungxi", Device: "door", Kind: edgelens.RecordVerified, Passed: true,
			Person:     edgelens.Person{ID: "7", Name: "Zoë", Type: "1", Code: "0"},
			Verdict:    json.RawMessage(`{"num":7,"name":"Zoë","verifiedCode":"0","time":"2026-04-10 10:00:07","personType":1}`),
			CapturedAt: at, ReceivedAt: at.Add(time.Second), Freshness: edgelens.FreshnessFresh, ImageSHA256: "00ff", ImageBytes: 14,
		},
		Result: edgelens.StoredResult{ID: "8f7f3bb4-0000-8000-8000-000000000000", Outcome: edgelens.OutcomeRecognized, Result: &edgelens.Result{
			Model: edgelens.ModelRef{Name: "m", Digest: "sha256:0"}, Predictions: []edgelens.Prediction{{ClassID: 3, Label: "cat", Probability: 0.5}},
			Image: edgelens.ImageInfo{Width: 4, Height: 3, Format: "jpeg"},
			View:  edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitCenter, Region: edgelens.Region{Width: 0.5, Height: 1}}, Count: 1},
		}},
	}
}

// receiver starts an HTTP server with do as its handler.
func receiver(t *testing.T, do http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(do)
	t.Cleanup(server.Close)
	return server.URL
}

func hook(t *testing.T, config webhook.Config) *webhook.Webhook {
	t.Helper()
	w, err := webhook.New(config, event.Composer{Fresh: 100 * 365 * 24 * time.Hour}, images{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestBody(t *testing.T) {
	for name, test := range map[string]struct {
		config func(*webhook.Config)
		change func(*edgelens.Delivery)
		want   map[string]string // JSON by field; "recognition.x" too
	}{
		"as the reference service sends it": {nil, nil, map[string]string{
			"user_id": `7`, "name": `"Zoë"`, "verifiedCode": `"0"`, "bot_time": `"2026-04-10 10:00:07"`, "personType": `1`,
			"img":            `"` + base64.StdEncoding.EncodeToString(jpeg) + `"`,
			"recognition.id": `"8f7f3bb4-0000-8000-8000-000000000000"`, "recognition.outcome": `"recognized"`, "recognition.device": `"door"`,
			"recognition.predictions": `[{"class_id":3,"label":"cat","probability":0.5}]`, "recognition.replayed": `false`,
			"recognition.view": `{"fit":"center","region":{"x":0,"y":0,"width":0.5,"height":1},"count":1}`,
		}},
		"a data URI":      {func(c *webhook.Config) { c.Image = webhook.ImageDataURI }, nil, map[string]string{"img": `"data:image/jpeg;base64,` + base64.StdEncoding.EncodeToString(jpeg) + `"`}},
		"no image":        {func(c *webhook.Config) { c.Image = webhook.ImageNone }, nil, map[string]string{"img": `""`}},
		"a missing image": {nil, func(d *edgelens.Delivery) { d.Image = "gone" }, map[string]string{"img": `""`, "user_id": `7`}},
		"fungxi, few fields": {nil, func(d *edgelens.Delivery) { d.Record.Verdict = json.RawMessage(`{"RecordID":5}`) }, map[string]string{
			"user_id": `"7"`, "name": `"Zoë"`, "verifiedCode": `"0"`, "personType": `"1"`,
		}},
		"another dialect, granted": {nil, func(d *edgelens.Delivery) {
			d.Record.Dialect, d.Record.Person.Type, d.Record.Person.Code = "facesluice", "0", "1"
			d.Record.Verdict = json.RawMessage(`{"RecordID":5,"VerifyStatus":"1","PersonType":"0","verifiedCode":7}`)
		}, map[string]string{"user_id": `"7"`, "verifiedCode": `0`, "personType": `"1"`, "recognition.record": `{"RecordID":5,"VerifyStatus":"1","PersonType":"0","verifiedCode":7}`}},
		"another dialect, refused": {nil, func(d *edgelens.Delivery) {
			d.Record.Dialect, d.Record.Passed, d.Record.Person.Type, d.Record.Person.Code = "facesluice", false, "1", "0"
		}, map[string]string{"verifiedCode": `1`, "personType": `"0"`}},
		"no verdict": {nil, func(d *edgelens.Delivery) { d.Record.Verdict = nil; d.Record.Person = edgelens.Person{} }, map[string]string{"user_id": `""`, "recognition.record": `null`}},
	} {
		t.Run(name, func(t *testing.T) {
			var got map[string]json.RawMessage
			config := webhook.DefaultConfig()
			config.URL = receiver(t, func(_ http.ResponseWriter, r *http.Request) {
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s: %v", r.Method, r.Header.Get("Content-Type"), err)
				}
			})
			if test.config != nil {
				test.config(&config)
			}
			d := passed()
			if test.change != nil {
				test.change(d)
			}
			if err := hook(t, config).Deliver(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			var recognition map[string]json.RawMessage
			if err := json.Unmarshal(got["recognition"], &recognition); err != nil {
				t.Fatal(err)
			}
			if len(got) != 7 { // the six of the reference service, and recognition
				t.Errorf("the members %v", slices.Sorted(maps.Keys(got)))
			}
			for field, want := range test.want {
				value := got[field]
				if inner, ok := strings.CutPrefix(field, "recognition."); ok {
					value = recognition[inner]
				}
				if string(value) != want {
					t.Errorf("%s is %s, want %s", field, value, want)
				}
			}
		})
	}
}

// The codes mean "granted" only for a record that passed, whatever the device sent; that
// is in recognition.record.
func TestCodes(t *testing.T) {
	for name, test := range map[string]struct {
		record, doubt string
		kind          string
		passed        bool
		code, person  string
	}{
		"granted":                         {`{"verifiedCode":"0","personType":1}`, "", edgelens.RecordVerified, true, `"0"`, `1`},
		"granted, written differently":    {`{"verifiedCode":"0.0","personType":"1.0"}`, "", edgelens.RecordVerified, true, `0`, `"1"`},
		"refused":                         {`{"verifiedCode":5,"personType":"1"}`, "", edgelens.RecordVerified, false, `5`, `"1"`},
		"unknown person":                  {`{"verifiedCode":0,"personType":"0"}`, "", edgelens.RecordVerified, false, `0`, `"0"`},
		"a stranger with granted codes":   {`{"verifiedCode":0,"personType":"1"}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
		"a stranger without codes":        {`{"num":1}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
		"a second verdict":                {`{"verifiedCode":0,"personType":"1","verified_code":5}`, "doubt", edgelens.RecordVerified, false, `1`, `"0"`},
		"a kind of person not understood": {`{"verifiedCode":0,"personType":true}`, "doubt", edgelens.RecordVerified, false, `1`, `"0"`},
		"null for a code":                 {`{"verifiedCode":null,"personType":"1"}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
		"nothing for a code":              {`{"verifiedCode":"","personType":"1"}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
		"minus nothing for a code":        {`{"verifiedCode":-0,"personType":"01"}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
		"a list for a code":               {`{"verifiedCode":[0],"personType":["1"]}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
		"escaped codes":                   {`{"verifiedCode":"\u0030","personType":"\u0031"}`, "", edgelens.RecordStranger, false, `1`, `"0"`},
	} {
		t.Run(name, func(t *testing.T) {
			var got struct {
				VerifiedCode, PersonType json.RawMessage
				Recognition              struct{ Record json.RawMessage }
			}
			config := webhook.DefaultConfig()
			config.URL = receiver(t, func(_ http.ResponseWriter, r *http.Request) {
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
			})
			d := passed()
			d.Record.Verdict, d.Record.Doubt, d.Record.Kind, d.Record.Passed = json.RawMessage(test.record), test.doubt, test.kind, test.passed
			d.Record.Person.Code, d.Record.Person.Type = "", ""
			if err := hook(t, config).Deliver(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if string(got.VerifiedCode) != test.code || string(got.PersonType) != test.person || string(got.Recognition.Record) != test.record {
				t.Errorf("%s, %s, %s", got.VerifiedCode, got.PersonType, got.Recognition.Record)
			}
		})
	}
}

func TestSignature(t *testing.T) {
	key := []byte("0123456789abcdef")
	config := webhook.DefaultConfig()
	config.Secret = "whsec_" + base64.StdEncoding.EncodeToString(key)
	config.URL = receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
			t.Errorf("signature %s, want %s", r.Header.Get("webhook-signature"), want)
		}
		if r.Header.Get("webhook-id") != passed().Record.ID {
			t.Errorf("id %s", r.Header.Get("webhook-id"))
		}
	})
	if err := hook(t, config).Deliver(t.Context(), passed()); err != nil {
		t.Fatal(err)
	}
}

func TestReplies(t *testing.T) {
	elsewhere := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}
	for name, test := range map[string]struct {
		do       http.HandlerFunc
		ok       bool
		rejected bool
		want     string
	}{
		"200": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }, true, false, ""},
		"204": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, true, false, ""},
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, false, false, "500"},
		"404": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, false, false, "404"},
		"429": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, false, false, "429"},
		"422": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(422) }, false, true, "422"},
		"400": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, false, true, "400"},
		"410": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, false, true, "410"},
		"415": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(415) }, false, true, "415"},
		"401": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, false, false, "webhook.secret"},
		"403": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, false, false, "403"},
		"408": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(408) }, false, false, "408"},
		"409": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(409) }, false, false, "409"},
		"425": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(425) }, false, false, "425"},
		"451": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(451) }, false, false, "451"},
		"503": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, false, false, "503"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}, false, false, "webhook.url"},
		"hangs":                 {func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, false, false, "post to the webhook"},
		"resets the connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, false, "post to the webhook"},
		"an endless body":       {endless, true, false, ""}, // confirmed by its status; the rest is not read
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := webhook.DefaultConfig()
			config.URL, config.Timeout = receiver(t, test.do)+"/?token=geheim", time.Minute
			if name == "hangs" {
				config.Timeout = 300 * time.Millisecond
			}
			err := hook(t, config).Deliver(t.Context(), passed())
			if (err == nil) != test.ok || errors.Is(err, notify.ErrRejected) != test.rejected {
				t.Errorf("%v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "geheim")) {
				t.Errorf("%q, want %q and no secret", err, test.want)
			}
		})
	}
}

// A receiver with a size limit gets the record without its large parts, with their
// names.
func TestTooLargeIsReduced(t *testing.T) {
	var got map[string]json.RawMessage
	config := webhook.DefaultConfig()
	config.URL = receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) > 2000 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		got = nil
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
	})
	w := hook(t, config)
	d := passed()
	d.Record.Verdict = json.RawMessage(`{"num":7,"name":"Zoë","note":"` + strings.Repeat("x", 3000) + `"}`)
	if err := w.Deliver(t.Context(), d); !errors.Is(err, edgelens.ErrTooLarge) || errors.Is(err, notify.ErrRejected) {
		t.Fatalf("%v, want ErrTooLarge", err)
	}
	d.Reduced = true
	if err := w.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var recognition struct {
		Record  json.RawMessage
		Reduced []string
	}
	if err := json.Unmarshal(got["recognition"], &recognition); err != nil {
		t.Fatal(err)
	}
	if string(got["user_id"]) != "7" || string(got["img"]) != `""` || string(recognition.Record) != `{"num":7,"name":"Zoë"}` ||
		strings.Join(recognition.Reduced, " ") != "record.note img" {
		t.Errorf("%s, recognition %+v", got, recognition)
	}

	small := passed()
	small.Image, small.Reduced = "", true
	if err := w.Deliver(t.Context(), small); !errors.Is(err, notify.ErrRejected) {
		t.Errorf("nothing to leave out: %v, want ErrRejected", err)
	}
}

func TestDeliverErrors(t *testing.T) {
	config := webhook.DefaultConfig()
	config.URL = "http://127.0.0.1:1/"
	if err := hook(t, config).Deliver(t.Context(), passed()); err == nil || errors.Is(err, notify.ErrRejected) {
		t.Errorf("no receiver: %v", err)
	}
	d := passed()
	d.Image = "broken"
	if err := hook(t, config).Deliver(t.Context(), d); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("an image that cannot be read: %v", err)
	}
}

func TestWants(t *testing.T) {
	stranger := edgelens.Record{Kind: edgelens.RecordStranger}
	door := edgelens.Record{Kind: edgelens.RecordVerified, Passed: true}
	for name, test := range map[string]struct {
		change        func(*webhook.Config)
		record        edgelens.Record
		wanted, image bool
	}{
		"passed":         {nil, door, true, true},
		"stranger":       {nil, stranger, false, false},
		"all":            {func(c *webhook.Config) { c.Records = webhook.RecordsAll }, stranger, true, true},
		"without images": {func(c *webhook.Config) { c.Image = webhook.ImageNone }, door, true, false},
		"no URL":         {func(c *webhook.Config) { c.URL = "" }, door, false, false},
	} {
		config := webhook.DefaultConfig()
		config.URL = "http://127.0.0.1:6688/"
		if test.change != nil {
			test.change(&config)
		}
		if wanted, image := config.Wants(&test.record); wanted != test.wanted || image != test.image {
			t.Errorf("%s: wanted %v, image %v", name, wanted, image)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*webhook.Config){
		"url":     func(c *webhook.Config) { c.URL = "ftp://x" },
		"secret":  func(c *webhook.Config) { c.Secret = "not base64: geheim" },
		"records": func(c *webhook.Config) { c.Records = "some" },
		"image":   func(c *webhook.Config) { c.Image = "png" },
		"timeout": func(c *webhook.Config) { c.Timeout = 0 },
	} {
		config := webhook.DefaultConfig()
		change(&config)
		_, err := webhook.New(config, event.Composer{}, images{})
		if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
