package api_test

import (
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"edgelens/internal/alarms"
)

// docsText is the page.
func docsText(t *testing.T) string {
	t.Helper()
	w := newServer(t, nil).do(request("GET", "/docs", "", nil))
	if w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	return w.Body.String()
}

// Recognition comes first, then the other tags, and every call is there once, with a form.
func TestDocsHasEveryCallByTag(t *testing.T) {
	text := docsText(t)
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(text, `id="tag-recognition"`)
	for _, tag := range doc.Tags {
		if place := strings.Index(text, `id="tag-`+tag.Name+`"`); place < 0 || place < at {
			t.Errorf("the tag %s is at %d, and recognition at %d", tag.Name, place, at)
		}
	}
	calls := 0
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			calls++
			if n := strings.Count(text, `<section class="operation" id="`+operation.OperationID+`"`); n != 1 {
				t.Errorf("%s is there %d times", operation.OperationID, n)
			}
			if !strings.Contains(text, `data-method="`+method+`" data-path="`+path+`"`) {
				t.Errorf("%s %s has no form", method, path)
			}
		}
	}
	if n := strings.Count(text, `<section class="operation" `); n != calls {
		t.Errorf("%d calls, want %d", n, calls)
	}
}

var (
	preformatted = regexp.MustCompile(`(?s)<details><summary><b>(\d+)</b> <code>application/json</code></summary>(.*?)</details>`)
	pre          = regexp.MustCompile(`(?s)<pre tabindex="0">(.*?)</pre>`)
)

// Each answer in JSON has one example, which is JSON.
func TestDocsExamples(t *testing.T) {
	answers := preformatted.FindAllStringSubmatch(docsText(t), -1)
	if len(answers) < 20 {
		t.Fatalf("%d answers in JSON", len(answers))
	}
	for _, answer := range answers {
		examples := pre.FindAllStringSubmatch(answer[2], -1)
		if len(examples) != 1 {
			t.Errorf("%d examples: %s", len(examples), answer[0])
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(html.UnescapeString(examples[0][1])), &value); err != nil {
			t.Errorf("%v: %s", err, examples[0][1])
		}
	}
}

// Each code of an error is in the table, once.
func TestDocsErrors(t *testing.T) {
	_, table, _ := strings.Cut(docsText(t), `id="errors"`)
	for _, code := range []string{
		"no_image", "invalid_request", "unauthorized", "forbidden", "unknown_model", "not_found", "too_large", "unsupported_format", "bad_image", "conflict", "disk_full", "busy", "not_accepting", "deadline", "no_model",
		"method_not_allowed", "upload_too_slow", "unsupported_encoding", "misdirected_request", "rate_limited", "internal",
	} {
		if n := strings.Count(table, "<code>"+code+"</code>"); n != 1 {
			t.Errorf("%s is there %d times", code, n)
		}
	}
}

// Descriptions are rendered, and what looks like HTML in them is not.
func TestDocsRendersMarkdown(t *testing.T) {
	text := docsText(t)
	if !strings.Contains(text, "<code>image/*</code>") || !strings.Contains(text, "<pre><code>curl -F file=@cat.jpg") {
		t.Error("code is not rendered")
	}
	if strings.Contains(text, "`") {
		t.Errorf("a backtick is left: %.80q", text[strings.Index(text, "`"):])
	}
}

// The page needs nothing from elsewhere, and its policy allows its own style and script alone.
func TestDocsPolicy(t *testing.T) {
	s := newServer(t, nil)
	w := s.do(request("GET", "/docs", "", nil))
	policy, text := w.Header().Get("Content-Security-Policy"), w.Body.String()
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy %q has no %s", policy, part)
		}
	}
	if inline := regexp.MustCompile(`(?i)<[^>]+ (style|on[a-z]+)=|<style|<script[^>]*>[^<]|javascript:`).FindString(text); inline != "" {
		t.Errorf("the policy does not allow %q", inline)
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(link[1], "/") && !strings.HasPrefix(link[1], "#") {
			t.Errorf("the page links to %s", link[1])
		}
	}
	for path, contentType := range map[string]string{"/docs/docs.css": "text/css; charset=utf-8", "/docs/docs.js": "text/javascript; charset=utf-8"} {
		part := s.do(request("GET", path, "", nil))
		if part.Code != 200 || part.Header().Get("Content-Type") != contentType || part.Header().Get("ETag") == "" || part.Body.Len() == 0 {
			t.Errorf("%s: %d %v", path, part.Code, part.Header())
		}
		if external := regexp.MustCompile(`https?://|@import|innerHTML|insertAdjacentHTML|eval\(`).FindString(part.Body.String()); external != "" {
			t.Errorf("%s has %q", path, external)
		}
	}
}

// Each alert links to a section of the runbook.
func TestRunbookHasEveryAlarm(t *testing.T) {
	w := newServer(t, nil).do(request("GET", "/docs/runbook", "", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") == "" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for _, alarm := range append(alarms.All(), alarms.Down()) {
		if !strings.Contains(w.Body.String(), `<h2 id="`+alarm.Name+`">`) {
			t.Errorf("there is no section %s", alarm.Name)
		}
	}
}
