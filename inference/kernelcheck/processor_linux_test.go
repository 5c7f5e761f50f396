package kernelcheck

import (
	"encoding/binary"
	"strings"
	"testing"
)

// Only what can change the kernels changes the digest.
func TestProcessor(t *testing.T) {
	const (
		first  = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t: 1\ncpu MHz\t\t: 2400.1\nflags\t\t: fpu sse2 avx512_vnni\n\n"
		second = "processor\t: 1\nvendor_id\t: AuthenticAMD\nmodel\t: 1\ncpu MHz\t\t: 1200.3\nflags\t\t: fpu sse2 avx512_vnni\n\n"
		x86    = first + second
	)
	vector := func(pairs ...uint64) (b []byte) {
		for _, v := range pairs {
			b = binary.NativeEndian.AppendUint64(b, v)
		}
		return b
	}
	digest := func(info string, auxiliary []byte) string {
		d, err := processorOf([]byte(info), auxiliary)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := digest(x86, vector(6, 4096, 16, 7, 26, 2))
	for name, c := range map[string]struct {
		info string
		auxv []byte
		want bool
	}{
		"again":                  {x86, vector(6, 4096, 16, 7, 26, 2), true},
		"other page size":        {x86, vector(6, 16384, 16, 7, 26, 2), true},
		"one core":               {second, vector(16, 7, 26, 2), true},
		"fewer flags":            {strings.ReplaceAll(x86, " avx512_vnni", ""), vector(16, 7, 26, 2), false},
		"other capabilities":     {x86, vector(16, 7, 26, 3), false},
		"a core of another kind": {x86 + "model\t: 2\n", vector(16, 7, 26, 2), false},
	} {
		if got := digest(c.info, c.auxv) == same; got != c.want {
			t.Errorf("%s: the same is %v", name, got)
		}
	}
	if d, err := processorOf([]byte("processor\t: 0\nBogoMIPS\t: 48.00\n"), nil); err == nil {
		t.Errorf("without features: %s", d)
	}
	if d, err := Processor(); err != nil || len(d) != len("sha256:")+64 {
		t.Errorf("here: %q, %v", d, err)
	}
}
