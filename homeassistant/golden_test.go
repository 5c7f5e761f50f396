package homeassistant_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
)

var update = flag.Bool("update", false, "write the golden files")

// What Home Assistant gets, and what lies on the disk, is pinned.
func TestGolden(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.config.Commands, h.config.Images = []string{"open"}, true
		h.series = append(h.series,
			edgelens.Series{Device: "hall", Field: `air."co2"<b>`, Unit: "ppm", Last: 415, Points: 1},
			edgelens.Series{Device: "hall", Field: "energy", Unit: "kWh", Last: 1.5, Points: 1},
			edgelens.Series{Device: "hall", Field: "level", Last: 3, Points: 1},
		)
		h.problems = []string{"redis: it is away"}
		h.run()
		h.settle()
		h.delete("edgelens-device-nobody")
		h.stop()
		for name, id := range map[string]string{"node": node, "device": door, "sensor": hall} {
			golden(t, name, h.broker.kept(configTopic(id)))
			golden(t, name+"_state", h.broker.kept("edgelens/v1/homeassistant/"+id+"/state"))
		}
		text, err := os.ReadFile(h.file)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "book", string(text))
	})
}

func golden(t *testing.T, name, text string) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(strings.TrimSpace(text)), "", "  "); err != nil {
		t.Fatalf("%s: %v: %s", name, err, text)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(want, pretty.Bytes()) {
		t.Errorf("%s (%v): got %s", name, err, pretty.String())
	}
}
