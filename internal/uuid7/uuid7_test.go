package uuid7_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"edgelens/internal/uuid7"
)

func TestNewIsAUUIDOfItsTime(t *testing.T) {
	for name, at := range map[string]time.Time{
		"now":             time.Now(),
		"a boot in 1970":  time.Unix(20, 0),
		"the last moment": time.UnixMilli(1<<48 - 1),
	} {
		t.Run(name, func(t *testing.T) {
			text := uuid7.New(at)
			id, err := uuid.Parse(text)
			if err != nil || id.String() != text {
				t.Fatalf("%q is not a UUID in the usual form: %v", text, err)
			}
			if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
				t.Errorf("%s has version %d and variant %s", text, id.Version(), id.Variant())
			}
			var ms int64
			for _, b := range id[:6] {
				ms = ms<<8 | int64(b)
			}
			if ms != at.UnixMilli() {
				t.Errorf("%s is of %d ms, want %d", text, ms, at.UnixMilli())
			}
		})
	}
}

func TestNewSortsByTimeAndIsUnique(t *testing.T) {
	now, before := time.Unix(0, 0), ""
	seen := map[string]bool{}
	for range 1000 {
		id, again := uuid7.New(now), uuid7.New(now)
		if id <= before {
			t.Fatalf("%s is not after %s", id, before)
		}
		if seen[id] || seen[again] || id == again {
			t.Fatalf("%s or %s comes twice", id, again)
		}
		seen[id], seen[again], before = true, true, max(id, again)
		now = now.Add(time.Millisecond)
	}
}

// Ids end with the tag of their node, and are no less unique.
func TestTagIsTheEndOfTheID(t *testing.T) {
	a, b := uuid7.TagOf("a"), uuid7.TagOf("b")
	if a == b || a != uuid7.TagOf("a") {
		t.Fatalf("the tags of a and b are %s and %s", a, b)
	}
	now, seen := time.Now(), map[string]bool{}
	for range 1000 {
		id := uuid7.NewTagged(now, a)
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 || parsed.Variant() != uuid.RFC4122 {
			t.Fatalf("%q is no UUIDv7: %v", id, err)
		}
		if tag, ok := uuid7.TagIn(id); !ok || tag != a {
			t.Fatalf("%s has the tag %s, want %s", id, tag, a)
		}
		if seen[id] {
			t.Fatalf("%s comes twice", id)
		}
		seen[id] = true
	}
	for _, none := range []string{"", "1234567", "not-an-id", uuid7.New(now) + "x"} {
		if tag, ok := uuid7.TagIn(none); ok {
			t.Errorf("%q has the tag %s", none, tag)
		}
	}
}

func TestTime(t *testing.T) {
	const id = "01935c00-0000-7abc-8def-0123456789ab" // 0x01935c000000 ms
	for text, ok := range map[string]bool{
		id: true, "": false, "x": false, id + "0": false,
		"01935c00-0000-4abc-8def-0123456789ab": false, // of version 4
		"01935c00-0000-7abc-cdef-0123456789ab": false, // of another variant
		"01935C00-0000-7ABC-8DEF-0123456789AB": false, // not in its usual form
		"01935c00-0000-7abc-8def-0123456789ag": false,
		"01935c000-000-7abc-8def-0123456789ab": false,
		"01935c00-0000-7abc-8def-01234567-9ab": false,
		"01935c00-0000-7abc-8def---0123456789": false,
		"01935c00-0000-7abc-8def-0123---45678": false, // 13 bytes
		"../../../../../7abc-8def-01234567890": false,
	} {
		at, is := uuid7.Time(text)
		if is != ok || ok != at.Equal(time.UnixMilli(0x01935c000000)) || ok && at.Location() != time.UTC {
			t.Errorf("%q is of %v, %v", text, at, is)
		}
	}
}

// What has a time is what was minted then.
func FuzzTime(f *testing.F) {
	f.Add(uuid7.New(time.UnixMilli(0)))
	f.Add(uuid7.New(time.UnixMilli(1<<48 - 1)))
	f.Add("00000000-0000-7000-8000-00000000000")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := uuid7.Time(text)
		if !ok {
			return
		}
		if id, err := uuid.Parse(text); err != nil || id.String() != text || id.Version() != 7 || uuid7.New(at)[:13] != text[:13] {
			t.Errorf("%q is of %v: %v", text, at, err)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	now := time.Now()
	for b.Loop() {
		uuid7.New(now)
	}
}
