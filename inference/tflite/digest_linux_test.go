//go:build cgo

package tflite

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The digest is that of the library that this process runs.
func TestLibraryDigest(t *testing.T) {
	got, err := LibraryDigest()
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	var library string
	for line := range strings.Lines(string(maps)) {
		if _, path, ok := strings.Cut(strings.TrimSpace(line), "/"); ok && strings.HasPrefix(filepath.Base(path), "libtensorflowlite") {
			library = "/" + path
		}
	}
	data, err := os.ReadFile(library)
	if err != nil {
		t.Fatalf("the library is not among the files of this process: %v", err)
	}
	if sum := sha256.Sum256(data); got != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("the digest is %s, not that of %s", got, library)
	}
}

func TestMappingAt(t *testing.T) {
	const maps = `00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/edgelens
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7f1000000000-7f1000100000 r-xp 00000000 08:02 42 /opt/my libraries/libtensorflowlite_c.so
7f2000000000-7f2000100000 r-xp 00000000 08:02 43 /usr/lib/libtensorflowlite_c.so (deleted)
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]
`
	for _, c := range []struct {
		address     uint64
		path, wrong string
	}{
		{0x7f1000000010, "/opt/my libraries/libtensorflowlite_c.so", ""},
		{0x451fff, "/usr/bin/edgelens", ""},
		{0x452000, "", "no file"},
		{0x7f0000000010, "", "no file"},
		{0x7ffc00000010, "", "no file"},
		{0x7f2000000010, "", "replaced or removed"},
	} {
		path, err := mappingAt(maps, c.address)
		if path != c.path || (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%x: %q, %v", c.address, path, err)
		}
	}
}
