package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"unsafe"

	"edgelens"
	"edgelens/api"
)

// imageReader checks the images that it gets. It fails for some, and looks at those for as long as the test runs.
type imageReader struct {
	recognizer
	t testing.TB

	mu sync.Mutex
	// at counts the images by where they were in memory, and failed are those of failures.
	at     map[*byte]int
	failed []edgelens.Request
}

func (r *imageReader) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	r.check(req)
	if spare := cap(req.Image) - len(req.Image); spare > 0 {
		r.t.Errorf("%d bytes behind an image are within reach", spare)
	}
	r.mu.Lock()
	r.at[unsafe.SliceData(req.Image)]++
	fails := req.Image[len(req.Image)-1]%4 == 0
	if fails {
		r.failed = append(r.failed, *req)
	}
	r.mu.Unlock()
	if fails {
		return nil, edgelens.ErrDeadline
	}
	result, err := r.recognizer.Recognize(ctx, req)
	r.check(req)
	return result, err
}

func (r *imageReader) check(req *edgelens.Request) {
	if sha256.Sum256(req.Image) != req.SHA256 {
		r.t.Error("an image has changed")
	}
}

// Buffers are used again, by images of all sizes and in all forms: each image is as it was sent for as long as it may be read, which is
// always for one that failed.
func TestBuffersAreUsedAgain(t *testing.T) {
	r := &imageReader{t: t, at: map[*byte]int{}}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Recognizer = r })
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(client)))
			for range 40 {
				image := bytes.Repeat([]byte{byte(random.Uint32())}, 100+random.IntN(1<<random.IntN(20)))
				copy(image, "\xff\xd8\xff")
				body, contentType := bytes.NewReader(image), "image/jpeg"
				switch random.IntN(4) {
				case 0:
					body, contentType = bytes.NewReader([]byte(`{"image": "`+base64Of(image)+`"}`)), "application/json"
				case 1:
					body, contentType = bytes.NewReader([]byte(base64Of(image))), "text/plain"
				}
				q := request("POST", "/api/recognize", contentType, body)
				if random.IntN(3) == 0 {
					q.ContentLength = -1
				}
				w := s.do(q)
				if digest := fmt.Sprintf("%x", sha256.Sum256(image)); w.Code == http.StatusOK && !bytes.Contains(w.Body.Bytes(), []byte(digest)) {
					t.Errorf("got %s, want the digest %s", w.Body, digest)
				}
			}
		})
	}
	clients.Wait()
	again, failed := 0, map[*byte]bool{}
	for i := range r.failed {
		r.check(&r.failed[i])
		failed[unsafe.SliceData(r.failed[i].Image)] = true
	}
	for _, n := range r.at {
		again += n - 1
	}
	if again < 20 || len(failed) != len(r.failed) {
		t.Errorf("%d of 160 images are in a buffer of another, and %d failures in %d buffers", again, len(r.failed), len(failed))
	}
}
