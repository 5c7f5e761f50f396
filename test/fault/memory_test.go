//go:build fault

package fault

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"
)

const (
	waitingJobs = 2000
	// padding makes an image as large as a small photograph: 2,000 of them
	// are 200 MB.
	padding = 100_000
	// mostGrowth is the maximum uncollected garbage of uploads and SQLite: 17 kB for each queued job, a sixth of its
	// image.
	mostGrowth = 32 << 20
)

// padded returns an image as large as a small photograph.
func padded(p image) image { return withNoise(p, padding) }

// withNoise puts an ancillary chunk before the end of a PNG, which decoders skip
// (https://www.w3.org/TR/png-3/#5Chunk-naming-conventions).
func withNoise(p image, size int) image {
	const endChunk = 12
	chunk := binary.BigEndian.AppendUint32(nil, uint32(size))
	chunk = append(chunk, "edGe"...)
	noise := make([]byte, size)
	_, _ = rand.Read(noise) // never fails
	chunk = append(chunk, noise...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	end := len(p.bytes) - endChunk
	return image{p.label, bytes.Join([][]byte{p.bytes[:end], chunk, p.bytes[end:]}, nil)}
}

// least returns the minimum resident memory over some seconds: independent of the image being decoded.
func (s *service) least() int64 {
	least := s.rss()
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		least = min(least, s.rss())
	}
	return least
}

// Queued jobs take space on the disk, and none in memory.
func TestMemoryOfQueuedJobs(t *testing.T) {
	s := newService(t, "--inference-interpreters", "1", "--jobs-concurrency", "1")
	s.start()
	var few, many int64
	submitted := 0
	submit := func(n int) {
		p := padded(slowImage())
		for ; submitted < n; submitted++ {
			if id, status, _, err := s.submit(p, "cache=false"); id == "" {
				t.Fatalf("submission %d got %d, %v", submitted, status, err)
			}
		}
	}
	submit(inFlight)
	few = s.least()
	submit(waitingJobs)
	many = s.least()
	waiting := s.sum("edgelens_queue_depth")
	report("%d MiB resident with at most %d jobs queued, %d MiB with %v", few>>20, inFlight, many>>20, waiting)
	if waiting < waitingJobs*3/4 {
		t.Fatalf("only %v jobs wait", waiting)
	}
	if many-few > mostGrowth {
		t.Errorf("it grew by %d MiB, and %d may be", (many-few)>>20, mostGrowth>>20)
	}
}
