//go:build fault

package problem

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
	// mostGrowth is what uploads and SQLite may leave for the garbage collector
	// to take: 17 kB for each waiting job, a sixth of its image.
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

// least returns the least resident memory over some seconds: what is there
// whatever image is being decoded.
func (s *service) least() int64 {
	least := s.rss()
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		least = min(least, s.rss())
	}
	return least
}

// Jobs that wait take room on the disk, and none in memory.
func TestMemoryOfWaitingJobs(t *testing.T) {
	s := newService(t, "--jobs-concurrency", "1")
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
	say("%d MiB resident with at most %d jobs waiting, %d MiB with %v", few>>20, inFlight, many>>20, waiting)
	if waiting < waitingJobs*3/4 {
		t.Fatalf("only %v jobs wait", waiting)
	}
	if many-few > mostGrowth {
		t.Errorf("it grew by %d MiB, and %d may be", (many-few)>>20, mostGrowth>>20)
	}
}
