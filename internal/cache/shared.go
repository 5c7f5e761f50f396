package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"edgelens"
	"edgelens/internal/stored"
)

const (
	// sharedTimeout is the maximum delay of a request by Redis: less than recognizing an image takes on a small
	// machine.
	sharedTimeout = 50 * time.Millisecond
	// breakerPause is how long Redis is not used after an error.
	breakerPause = time.Second
	// sharedBuffer is the maximum number of results queued for writing.
	sharedBuffer = 256
)

// Shared is a result cache in memory with Redis behind it, so that nodes share their results. A slow or unreachable
// Redis delays lookups by at most 50 ms once a second. It is safe for use by many goroutines; Close ends it.
type Shared struct {
	memory *Memory
	redis  redis.UniversalClient
	ttl    time.Duration

	// resumes is when Redis is used again, by the time since started, which does not depend on the wall clock.
	resumes atomic.Int64
	pending chan entry
	counts  struct{ hits, misses, failures, dropped atomic.Int64 }

	close  sync.Once
	stop   context.CancelFunc
	writer sync.WaitGroup
}

type entry struct {
	key    string
	result *edgelens.Result
}

// SharedStats counts the outcomes of lookups in Redis, and results that were dropped.
type SharedStats struct{ Hits, Misses, Failures, Dropped int64 }

// NewShared puts Redis behind memory. The results expire in Redis after ttl. It takes over the client and closes it. It
// registers edgelens_shared_cache_total with metrics, which must not have it yet.
func NewShared(memory *Memory, client redis.UniversalClient, ttl time.Duration, metrics prometheus.Registerer) *Shared {
	ctx, stop := context.WithCancel(context.Background())
	s := &Shared{memory: memory, redis: client, ttl: ttl, pending: make(chan entry, sharedBuffer), stop: stop}
	s.register(metrics)
	s.writer.Go(func() { s.write(ctx) })
	return s
}

// Get returns the result under key, which the caller must not change, from
// memory or from Redis.
func (s *Shared) Get(key string) (*edgelens.Result, bool) {
	if result, ok := s.memory.Get(key); ok {
		return result, true
	}
	if s.resting() {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	text, err := s.redis.Get(ctx, sharedKey(key)).Bytes()
	if err != nil {
		if errors.Is(err, redis.Nil) {
			s.counts.misses.Add(1)
		} else {
			s.fail()
		}
		return nil, false
	}
	result, err := stored.UnmarshalResult(text)
	if err != nil || result == nil {
		s.counts.misses.Add(1) // of another version; Set replaces it
		return nil, false
	}
	s.counts.hits.Add(1)
	s.memory.Set(key, result)
	return result, true
}

// GetLocal is Get from memory alone.
func (s *Shared) GetLocal(key string) (*edgelens.Result, bool) { return s.memory.Get(key) }

// Set stores a result, which must not be changed afterwards. It does not wait for Redis; where the buffer is full,
// Redis does not get the result.
func (s *Shared) Set(key string, result *edgelens.Result) {
	s.memory.Set(key, result)
	if s.resting() {
		s.counts.dropped.Add(1)
		return
	}
	select {
	case s.pending <- entry{key, result}:
	default:
		s.counts.dropped.Add(1)
	}
}

// Stats returns the counts since the start.
func (s *Shared) Stats() SharedStats {
	return SharedStats{
		Hits: s.counts.hits.Load(), Misses: s.counts.misses.Load(),
		Failures: s.counts.failures.Load(), Dropped: s.counts.dropped.Load(),
	}
}

// Close closes the Redis client; results that were not written yet are lost. Memory stays usable.
func (s *Shared) Close() (err error) {
	s.close.Do(func() {
		s.stop()
		s.writer.Wait()
		err = s.redis.Close()
	})
	return err
}

// write writes queued results to Redis until ctx ends.
func (s *Shared) write(ctx context.Context) {
	for {
		select {
		case e := <-s.pending:
			s.put(ctx, e)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Shared) put(ctx context.Context, e entry) {
	if s.resting() {
		s.counts.dropped.Add(1)
		return
	}
	text, err := stored.MarshalResult(e.result)
	if err != nil {
		s.counts.dropped.Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	if err := s.redis.Set(ctx, sharedKey(e.key), text, s.ttl).Err(); err != nil {
		s.fail()
		s.counts.dropped.Add(1)
	}
}

func (s *Shared) resting() bool { return int64(time.Since(started)) < s.resumes.Load() }

// started is the origin of a monotonic clock.
var started = time.Now()

func (s *Shared) fail() {
	s.counts.failures.Add(1)
	s.resumes.Store(int64(time.Since(started) + breakerPause))
}

// sharedKey is the key in Redis. A digest, because the format of a cache key may change.
func sharedKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "edgelens:result:" + hex.EncodeToString(sum[:])
}
