package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"edgelens"
	"edgelens/benchmarks/record"
)

// FuzzRead: any file content is read or rejected with an error.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{}"), []byte("suite,case,run,worker,due_ns,sent_ns,done_ns,status\nhttp,\"a,b\",1,0,1,2,3,ok\n"), []byte("suite,case,run,name,value\nhttp,a,1,cpu_seconds,0.5\n"))
	f.Add([]byte("{"), []byte(""), []byte("\n\"\n"))
	f.Fuzz(func(t *testing.T, run, samples, figures []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"run.json": run, "samples.csv": samples, "figures.csv": figures} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := record.Read(dir); err != nil && !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}
