// Package clustertest has a small API server of Kubernetes for tests, without controllers: a test sets the state of objects itself.
package clustertest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"edgelens/internal/cluster/manifesttest"
)

// Object is one of Kubernetes, as of its JSON.
type Object = map[string]any

// Server keeps objects by their paths, and refuses what the types of the API do not have. It is safe for use by many goroutines.
type Server struct {
	t    testing.TB
	http *httptest.Server

	mu      sync.Mutex
	objects map[string]Object
	metrics map[string]string
	answers map[string]int
	reads   int
	version int
	each    func(reads int)
}

// Start starts a server with the namespaces default and edgelens, until the end of the test.
func Start(t testing.TB) *Server {
	s := &Server{t: t, objects: map[string]Object{}, metrics: map[string]string{}, answers: map[string]int{}}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

// Kubeconfig writes a configuration that leads to the server and returns its path.
func (s *Server) Kubeconfig() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test, namespace: edgelens}}]
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {token: secret}}]
`, s.http.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// Put keeps an object, as a controller or kubelet would write it. resource is its plural, such as pods.
func (s *Server) Put(resource string, object Object) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[pathOf(resource, object)] = object
}

// Get returns an object; nil if there is none.
func (s *Server) Get(resource, namespace, name string) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[pathOf(resource, Object{"metadata": Object{"namespace": namespace, "name": name}})]
}

// SetMetrics is what a pod answers at /metrics.
func (s *Server) SetMetrics(namespace, pod string, port int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics[fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy/metrics", namespace, pod, port)] = text
}

// Refuse answers requests for a resource by a status, such as 403.
func (s *Server) Refuse(resource string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[resource] = status
}

// OnRead calls f, with a count from 1 that begins now, before each answer about a single workload: there a test lets a rollout go on.
func (s *Server) OnRead(f func(reads int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each, s.reads = f, 0
}

var groups = map[string]string{"deployments": "/apis/apps/v1", "statefulsets": "/apis/apps/v1", "poddisruptionbudgets": "/apis/policy/v1"}

func pathOf(resource string, object Object) string {
	metadata := object["metadata"].(Object)
	group := groups[resource]
	if group == "" {
		group = "/api/v1"
	}
	if namespace, _ := metadata["namespace"].(string); namespace != "" {
		group += "/namespaces/" + namespace
	}
	return fmt.Sprintf("%s/%s/%s", group, resource, metadata["name"])
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.isWorkload(r) {
		s.mu.Lock()
		s.reads++
		reads, each := s.reads, s.each
		s.mu.Unlock()
		if each != nil {
			each(reads)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for resource, status := range s.answers {
		if strings.HasSuffix(r.URL.Path, "/"+resource) || strings.Contains(r.URL.Path, "/"+resource+"/") {
			fail(w, status, "refused for the test")
			return
		}
	}
	if text, ok := s.metrics[r.URL.Path]; ok {
		_, _ = io.WriteString(w, text) // the client may be gone
		return
	}
	switch object, ok := s.objects[r.URL.Path]; {
	case r.Method == http.MethodPatch:
		s.apply(w, r)
	case ok:
		respond(w, object)
	case strings.HasSuffix(r.URL.Path, "s") && isCollection(r.URL.Path):
		s.list(w, r)
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

func (s *Server) isWorkload(r *http.Request) bool {
	return r.Method == http.MethodGet && (strings.Contains(r.URL.Path, "/deployments/") || strings.Contains(r.URL.Path, "/statefulsets/"))
}

func isCollection(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return slices.Contains([]string{"deployments", "statefulsets", "pods", "nodes", "events", "services", "poddisruptionbudgets"}, last)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	in := strings.TrimSuffix(r.URL.Path, "/"+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
	last := strings.TrimPrefix(r.URL.Path, in)
	items := []any{}
	for _, path := range slices.Sorted(maps.Keys(s.objects)) {
		object := s.objects[path]
		if strings.HasPrefix(path, in) && strings.Contains(path, last+"/") && matches(object, r.URL.Query().Get("labelSelector"), "labels") &&
			matchesEvent(object, r.URL.Query().Get("fieldSelector")) {
			items = append(items, object)
		}
	}
	respond(w, Object{"kind": "List", "apiVersion": "v1", "metadata": Object{}, "items": items})
}

func matches(object Object, selector, in string) bool {
	labels, _ := object["metadata"].(Object)[in].(Object)
	for _, pair := range strings.Split(selector, ",") {
		if key, value, ok := strings.Cut(pair, "="); ok && labels[key] != value {
			return false
		}
	}
	return true
}

func matchesEvent(object Object, selector string) bool {
	uid, ok := strings.CutPrefix(selector, "involvedObject.uid=")
	involved, _ := object["involvedObject"].(Object)
	return !ok || involved["uid"] == uid
}

// apply is a server-side apply with one manager: what is sent takes the place of all but the status.
func (s *Server) apply(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.Header.Get("Content-Type") != "application/apply-patch+yaml" || query.Get("fieldManager") == "" || query.Get("fieldValidation") != "Strict" {
		fail(w, http.StatusBadRequest, "not a strict server-side apply: "+r.URL.String())
		return
	}
	var object Object
	if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	manifesttest.Decode(s.t, object)
	metadata := object["metadata"].(Object)
	if namespace := metadata["namespace"]; namespace != "default" && namespace != "edgelens" {
		fail(w, http.StatusNotFound, fmt.Sprintf("namespaces %q not found", namespace))
		return
	}
	before, ok := s.objects[r.URL.Path]
	generation := 1.0
	if ok {
		object["status"] = before["status"]
		generation, _ = before["metadata"].(Object)["generation"].(float64)
		if reflect.DeepEqual(before["spec"], object["spec"]) {
			respond(w, before)
			return
		}
		generation++
	}
	s.version++
	metadata["generation"], metadata["uid"], metadata["resourceVersion"] = generation, "uid "+r.URL.Path, fmt.Sprint(s.version)
	s.objects[r.URL.Path] = object
	respond(w, object)
}

func respond(w http.ResponseWriter, object Object) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // the client may be gone
}

var reasons = map[int]string{http.StatusNotFound: "NotFound", http.StatusForbidden: "Forbidden", http.StatusUnauthorized: "Unauthorized", http.StatusBadRequest: "BadRequest"}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reasons[status], "code": status}) // the client may be gone
}
