package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgelens"
)

const minimal = "name: edgelens\nimage: edgelens:1\nport: 8080\nreplicas: 2\nmemory: 1Gi\ncpu: \"2\"\nkeys: edgelens-keys\n"

func TestReadService(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string // words of the error; none for success
	}{
		"minimal":            {minimal, nil},
		"everything":         {minimal + "namespace: shop\nstorage: 5Gi\nsettings: {recognize.quality: all}\nsecrets: {redis.url: edgelens-redis/url}\n", nil},
		"open, without keys": {strings.Replace(minimal, "keys: edgelens-keys", "settings: {http.open: \"true\"}", 1), nil},
		"empty":              {"", []string{"it is empty"}},
		"two documents":      {minimal + "---\n" + minimal, []string{"one YAML document"}},
		"unknown member":     {minimal + "replica: 3\n", []string{"line 8: there is no member replica; there are name, namespace, image"}},
		"twice":              {minimal + "port: 1\n", []string{"already defined"}},
		"wrong type":         {strings.Replace(minimal, "replicas: 2", "replicas: many", 1), []string{"line 4", "many"}},
		"nothing but a name": {"name: edgelens\n", []string{"image must", "port must", "memory must", "cpu must", "keys must"}},
		"name":               {strings.Replace(minimal, "name: edgelens", "name: Edge_Lens", 1), []string{`not "Edge_Lens"`}},
		"port of metrics":    {strings.Replace(minimal, "8080", "9090", 1), []string{"not 9090, where health and metrics are served"}},
		"port":               {strings.Replace(minimal, "8080", "80800", 1), []string{"but is 80800"}},
		"replicas":           {strings.Replace(minimal, "replicas: 2", "replicas: -1", 1), []string{"but is -1"}},
		"memory":             {strings.Replace(minimal, "1Gi", "1Gb", 1), []string{"memory must be a quantity such as 1Gi"}},
		"little memory":      {strings.Replace(minimal, "1Gi", "1", 1), []string{"memory must be at least 64Mi"}},
		"storage":            {minimal + "storage: much\n", []string{"storage must be a quantity"}},
		"namespace":          {minimal + "namespace: a/b\n", []string{"namespace must"}},
		"our setting":        {minimal + "settings: {listen: \":80\"}\n", []string{"settings: listen is set by this command"}},
		"no setting":         {minimal + "settings: {EDGELENS_MODEL: x}\n", []string{`"EDGELENS_MODEL" is not the key of a setting`}},
		"a secret's value":   {minimal + "secrets: {redis.url: \"redis://x\"}\n", []string{"must be SECRET/KEY"}},
		"set twice":          {minimal + "settings: {redis.url: x}\nsecrets: {redis.url: a/b}\n", []string{"is set by settings, too"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "service.yaml")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadService(path)
			if len(test.want) == 0 && err != nil || len(test.want) > 0 && !errors.Is(err, edgelens.ErrInvalid) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			for _, words := range test.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%v\nwithout %q", err, words)
				}
			}
		})
	}
}

// The examples of the documentation and of the help are read.
func TestExamplesOfServices(t *testing.T) {
	for _, file := range []string{"../../docs/kubernetes.md", "../../cmd/edgelens/cluster_apply.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		example := regexp.MustCompile(`(?m)^ *name: edgelens\n( *[a-z]+: .*\n)+`).FindString(strings.ReplaceAll(string(text), "edgelens key create --keys-file`,", "x"))
		if example == "" {
			t.Fatalf("%s has no example", file)
		}
		if _, err := parseService([]byte(example)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func FuzzService(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "settings: {a.b: c}\nsecrets: {redis.url: a/b}\nstorage: 1Gi\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseService(data)
		if err != nil {
			return
		}
		for _, target := range s.objects() {
			if _, err := target.object.MarshalJSON(); err != nil || target.object.GetName() == "" {
				t.Errorf("%v: %v", target.object, err)
			}
		}
	})
}
