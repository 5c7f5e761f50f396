//go:build cgo

package examples

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/internal/testutil/browsertest"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// folder has the programs, once they are built.
var folder string

// built builds a command of this module once.
func built(t *testing.T, name, command string) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	program := filepath.Join(folder, name)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	build := exec.Command("go", "build", "-o", program, command)
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", command, err, output)
	}
	return program
}

var building sync.Mutex

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "edgelens-examples"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// serve runs the service with a model of colors until the test ends, and returns its URL.
func serve(t *testing.T, arguments ...string) string {
	t.Helper()
	testutil.SkipIfShort(t, "it starts the program")
	program, installed, address := built(t, "edgelens", "./cmd/edgelens"), t.TempDir(), testutil.FreeAddress(t)
	model := modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	if err := os.WriteFile(filepath.Join(installed, "colors.tflite"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	log := start(t, exec.Command(program, append([]string{"serve", "--listen", address, "--mqtt-listen", "", "--data-dir", testutil.ShortDir(t), "--models-dir", installed, "--model", "colors"}, arguments...)...))
	testutil.Eventually(t, "the service is ready", func() bool { return log.Contains("msg=ready") })
	return "http://" + address
}

// start runs a command until the test ends.
func start(t *testing.T, command *exec.Cmd) *testutil.LogBuffer {
	t.Helper()
	log := &testutil.LogBuffer{}
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // python3 may be a script that starts another one
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
		_ = command.Wait() // it was ended by a signal
		if t.Failed() {
			t.Logf("the output of %s:\n%s", filepath.Base(command.Path), log)
		}
	})
	return log
}

// interpreter returns the program that runs a script, and skips the test where there is none.
func interpreter(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s on PATH", name)
	}
	if name == "node" { // fetch came with 18
		version, err := exec.Command(path, "--version").Output()
		major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
		if n, bad := strconv.Atoi(major); err != nil || bad != nil || n < 18 {
			t.Skipf("node is %s, and 18 is needed", version)
		}
	}
	return path
}

// Each client prints what it sees, and the sentence of an error; it waits where the service is busy.
func TestClients(t *testing.T) {
	server := serve(t)
	images := t.TempDir()
	red, broken := filepath.Join(images, "red.png"), filepath.Join(images, "broken.png")
	for path, content := range map[string][]byte{red: modeltest.Image(modeltest.Red, 64, 48), broken: []byte("no image")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	busy := busyOnce(t, server)
	for name, command := range map[string]func(t *testing.T) []string{
		"python": func(t *testing.T) []string { return []string{interpreter(t, "python3"), "python/recognize.py"} },
		"python, queue": func(t *testing.T) []string {
			return []string{interpreter(t, "python3"), "python/recognize.py", "--queue"}
		},
		"node": func(t *testing.T) []string { return []string{interpreter(t, "node"), "node/recognize.mjs"} },
		"go":   func(t *testing.T) []string { return []string{built(t, "recognize", "./examples/go/recognize")} },
	} {
		t.Run(name, func(t *testing.T) {
			for _, at := range []string{server, busy()} {
				client := command(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				run := exec.CommandContext(ctx, client[0], append(client[1:], red, broken)...)
				run.Env = append(os.Environ(), "EDGELENS_SERVER="+at, "EDGELENS_KEY=")
				var output, errors strings.Builder
				run.Stdout, run.Stderr = &output, &errors
				err := run.Run()
				if !strings.HasPrefix(output.String(), red+"\tred\t0.") && !strings.HasPrefix(output.String(), red+"\tred\t1.") {
					t.Errorf("at %s it prints %q, %q", at, output.String(), errors.String())
				}
				if err == nil || !strings.HasPrefix(errors.String(), broken+": ") || strings.Contains(errors.String(), "HTTP 4") {
					t.Errorf("for a file that is no image it ends with %v and %q", err, errors.String())
				}
			}
		})
	}
}

// busyOnce returns a function that returns the URL of a proxy to the service, which refuses the first request.
func busyOnce(t *testing.T, server string) func() string {
	return func() string {
		var first sync.Once
		forward := proxyTo(t, server)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			refused := false
			first.Do(func() { refused = true })
			if refused {
				w.Header().Set("Retry-After", "1")
				http.Error(w, `{"detail":"busy"}`, http.StatusServiceUnavailable)
				return
			}
			forward.ServeHTTP(w, r)
		}))
		t.Cleanup(proxy.Close)
		return proxy.URL
	}
}

const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

// signed returns a message that is signed by Standard Webhooks.
func signed(t *testing.T, to, id string, at time.Time, body string) *http.Request {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	request, err := http.NewRequest(http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", stamp)
	request.Header.Set("webhook-signature", "v1,AAAA v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return request
}

// Each receiver takes a signed message once, and refuses one that was altered, is old, or has no signature.
func TestWebhookReceivers(t *testing.T) {
	testutil.SkipIfShort(t, "it starts programs")
	const body = `{"name":"Ada","verifiedCode":1}`
	for name, command := range map[string]func(t *testing.T) []string{
		"python": func(t *testing.T) []string { return []string{interpreter(t, "python3"), "python/webhook.py"} },
		"node":   func(t *testing.T) []string { return []string{interpreter(t, "node"), "node/webhook.mjs"} },
		"go":     func(t *testing.T) []string { return []string{built(t, "webhook", "./examples/go/webhook")} },
	} {
		t.Run(name, func(t *testing.T) {
			address := testutil.FreeAddress(t)
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			receiver := command(t)
			run := exec.Command(receiver[0], append(receiver[1:], port)...)
			run.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
			output := start(t, run)
			testutil.Eventually(t, "the receiver listens", func() bool {
				connection, err := net.Dial("tcp", address)
				if err == nil {
					_ = connection.Close()
				}
				return err == nil
			})
			status := func(request *http.Request) int {
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				return response.StatusCode
			}
			to := "http://" + address + "/"
			altered := signed(t, to, "m3", time.Now(), body)
			altered.Header.Set("webhook-id", "m4")
			unsigned := signed(t, to, "m5", time.Now(), body)
			unsigned.Header.Del("webhook-signature")
			for what, test := range map[string]struct {
				request *http.Request
				want    int
			}{
				"a signed message": {signed(t, to, "m1", time.Now(), body), 204}, "an altered one": {altered, 401}, "one without a signature": {unsigned, 401},
				"an old one": {signed(t, to, "m6", time.Now().Add(-time.Hour), body), 401},
			} {
				if got := status(test.request); got != test.want {
					t.Errorf("%s: %d, want %d", what, got, test.want)
				}
			}
			if got := status(signed(t, to, "m1", time.Now(), body)); got != 204 {
				t.Errorf("the same message again: %d", got)
			}
			testutil.Eventually(t, "the record is printed", func() bool { return output.Contains("verified: Ada") })
			if n := strings.Count(output.String(), "verified"); n != 1 {
				t.Errorf("it was taken %d times:\n%s", n, output)
			}
		})
	}
}

// The page scales a photo down, and shows what is on it.
func TestBrowserPage(t *testing.T) {
	page := httptest.NewServer(http.FileServer(http.Dir("browser")))
	defer page.Close()
	server := serve(t, "--http-allowed-origins", page.URL)
	ctx := browsertest.New(t)
	browsertest.Open(t, ctx, page.URL+"/?server="+server)
	photo := base64.StdEncoding.EncodeToString(modeltest.Image(modeltest.Red, 1600, 1200))
	browsertest.Run(t, ctx, fmt.Sprintf(`const bytes = Uint8Array.from(atob(%q), c => c.charCodeAt(0))
		const transfer = new DataTransfer()
		transfer.items.add(new File([bytes], 'red.png', { type: 'image/png' }))
		const input = document.querySelector('#photo')
		input.files = transfer.files
		input.dispatchEvent(new Event('change'))`, photo))
	browsertest.Until(t, ctx, "the photo is recognized", "document.querySelector('#answer').textContent.startsWith('red (')")
}
