package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"edgelens"
	"edgelens/benchmarks/proc"
)

// PeerSettings are the settings of another service, for a fair comparison.
type PeerSettings struct {
	// Folder has the executable `serve`, which reads its environment: PEER_ADDRESS, PEER_MODEL, PEER_LABELS,
	// PEER_TFLITE, PEER_DELEGATE, PEER_THREADS and PEER_WORKERS. It serves until SIGTERM, and answers GET /healthz with
	// 200 and {"service": "its components"} when it is warm.
	Folder string
	// Address is the host and port to listen at.
	Address string
	// Model and Labels are files, and Library TensorFlow Lite's C library.
	Model, Labels, Library string
	// Delegate is "xnnpack" or "none".
	Delegate         string
	Threads, Workers int
}

func (s PeerSettings) environ() []string {
	return append(os.Environ(), "PEER_ADDRESS="+s.Address, "PEER_MODEL="+s.Model, "PEER_LABELS="+s.Labels, "PEER_TFLITE="+s.Library,
		"PEER_DELEGATE="+s.Delegate, "PEER_THREADS="+strconv.Itoa(s.Threads), "PEER_WORKERS="+strconv.Itoa(s.Workers))
}

// StartPeer runs another service until Stop. Its log goes to log. It returns when the service is ready, with its own
// description of its components.
func StartPeer(ctx context.Context, s PeerSettings, log io.Writer) (_ *Own, components string, err error) {
	command := exec.Command(filepath.Join(s.Folder, "serve"))
	command.Env = s.environ()
	peer, err := start(ctx, command, "http://"+s.Address, "/healthz", log)
	if err != nil {
		return nil, "", err
	}
	var health struct{ Service string }
	if err := getJSON(ctx, peer.URL()+"/healthz", &health); err != nil {
		return nil, "", errors.Join(err, peer.Stop())
	}
	return peer, health.Service, nil
}

// DelegateInUse returns the delegate that runs a model's graph in an edgelens service.
func DelegateInUse(ctx context.Context, service Service, model string) (string, error) {
	var answer struct{ Delegate string }
	err := getJSON(ctx, service.URL()+"/api/models/"+model, &answer)
	return answer.Delegate, err
}

func getJSON(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("request %s: %w: %v", url, edgelens.ErrInvalid, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("request %s: %w", url, err)
	}
	defer response.Body.Close() // read only
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answers %d", edgelens.ErrInvalid, url, response.StatusCode)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("%w: %s does not return JSON: %v", edgelens.ErrInvalid, url, err)
	}
	return nil
}

// Tree is a service with all its child processes, however many.
type Tree struct{ *Own }

// Resident implements Service.
func (t Tree) Resident(context.Context) (int64, error) { return proc.Memory(t.command.Process.Pid) }
