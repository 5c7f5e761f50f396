package federation_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"edgelens/internal/testutil"
	"edgelens/learn/federation"
)

// sent are the members of JSON that a node may send, by the end of the path. docs/federation.md lists them.
var sent = map[string][]string{
	"/join": {"invitation", "key", "proof", "kind", "signature"},
	"/poll": {
		"node", "seq", "examples", "held_out", "extractor", "features", "fit", "region", "unready", "live", "standing", "kind", "signature",
	},
	"/update": {"node", "round", "base", "sha256", "bytes", "examples", "norm", "clipped", "noise", "loss_before", "loss_after", "kind", "signature"},
	"/score":  {"node", "round", "candidate", "examples", "right", "base", "kind", "signature"},
}

// TestWhatLeavesTheNode looks at every byte that nodes send in two rounds: it has the members that are documented and no other,
// and nothing of an example.
func TestWhatLeavesTheNode(t *testing.T) {
	settings := quickSettings()
	settings.Rounds = 2
	s := newSite(t, settings)
	var mu sync.Mutex
	var everything bytes.Buffer
	uploads := 0
	s.wrap = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			everything.WriteString(r.URL.String())
			for name, values := range r.Header {
				everything.WriteString(name + strings.Join(values, ""))
			}
			everything.Write(body)
			switch r.Method {
			case http.MethodPost:
				checkMembers(t, r.URL.Path, body)
			case http.MethodPut:
				uploads++
				if len(body) != 72 {
					t.Errorf("an update has %d bytes", len(body))
				}
			default:
				if len(body) > 0 {
					t.Errorf("%s %s has a body", r.Method, r.URL.Path)
				}
			}
			mu.Unlock()
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
	a, b := s.addNode("a", 20, 20), s.addNode("b", 20, 20)
	s.run(a, b)
	testutil.Eventually(t, "two rounds end", func() bool { return len(s.ended()) == 2 })
	a.stop()
	b.stop()
	mu.Lock() // a request whose node has just stopped may still be served
	defer mu.Unlock()
	all := everything.Bytes()
	if uploads < 4 {
		t.Errorf("%d uploads were seen", uploads)
	}
	for _, m := range []*member{a, b} {
		for _, e := range m.store.examples {
			for _, form := range formsOf(e.Embedding, e.SHA256) {
				if bytes.Contains(all, form) {
					t.Fatalf("%q of an example left the node", form)
				}
			}
		}
	}
}

// formsOf returns what would give away an example: its digest, and its embedding or a part of it, as numbers of several forms.
func formsOf(embedding []float32, digest string) [][]byte {
	raw, _ := hex.DecodeString(digest)
	floats, doubles := []byte{}, []byte{}
	for _, v := range embedding[:2] {
		floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(v))
		doubles = binary.LittleEndian.AppendUint64(doubles, math.Float64bits(float64(v)))
	}
	text, _ := json.Marshal(embedding[0])
	return [][]byte{[]byte(digest), raw, floats, doubles, text, []byte(base64.StdEncoding.EncodeToString(floats[:6])), []byte(base64.StdEncoding.EncodeToString(doubles[:15]))}
}

// checkMembers reports members of a message that are not documented, and counts that are not numbers.
func checkMembers(t *testing.T, path string, body []byte) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	end := path[strings.LastIndex(path, "/"):]
	for name := range members {
		if !slices.Contains(sent[end], name) {
			t.Errorf("%s has the member %s, which is not documented", end, name)
		}
	}
	if end == "/poll" {
		var counts map[string]int
		var standing *federation.Standing
		if json.Unmarshal(members["examples"], &counts) != nil || members["standing"] != nil && json.Unmarshal(members["standing"], &standing) != nil {
			t.Errorf("the counts are %s and %s", members["examples"], members["standing"])
		}
		for label := range counts {
			if !slices.Contains(labels, label) {
				t.Errorf("the label %q left the node", label)
			}
		}
	}
}
