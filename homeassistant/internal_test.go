package homeassistant

import (
	"regexp"
	"strings"
	"testing"
)

var validID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func TestIDsDiffer(t *testing.T) {
	names := []string{
		"a", "A", "a_b", "a-b", "a.b", "a:b", "a b", "a_2Eb", "a/b", "ä", "é", "日本", strings.Repeat("x", 80), strings.Repeat("x", 81), strings.Repeat("x", 82),
		strings.Repeat("日", 40), strings.Repeat("日", 41), "_", "__", "_5F", "",
	}
	seen := map[string]string{}
	for _, kind := range []string{kindNode, kindDevice, kindSensor} {
		for _, name := range names {
			id := idOf(kind, name)
			if other, taken := seen[id]; taken {
				t.Errorf("%q and %q have the id %s", kind+" "+name, other, id)
			}
			seen[id] = kind + " " + name
			if !validID.MatchString(id) || len(id) > 110 {
				t.Errorf("%q has the id %q", name, id)
			}
		}
	}
	if id := idOf(kindDevice, "1026700"); id != "edgelens-device-1026700" {
		t.Errorf("id %s", id)
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("a_b", "a.b")
	f.Add(strings.Repeat("_", 90), strings.Repeat("_", 91))
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := idOf(kindSensor, a), idOf(kindSensor, b)
		if !validID.MatchString(x) || (x == y) != (a == b) {
			t.Errorf("%q: %s, %q: %s", a, x, b, y)
		}
	})
}

func TestMeasures(t *testing.T) {
	for _, test := range []struct{ field, unit, class, as string }{
		{"temperature", "°C", "temperature", "°C"},
		{"am.Humidity", "%", "humidity", "%"},
		{"battery_level", "%", "battery", "%"},
		{"load", "%", "", "%"},
		{"co2", "ppm", "carbon_dioxide", "ppm"},
		{"voc", "ppm", "", "ppm"},
		{"light", "lux", "illuminance", "lx"},
		{"energy", "kWh", "energy", "kWh"},
		{"speed", "furlongs", "", "furlongs"},
		{"temperature", "", "", ""},
		{"temperature", "C", "", "C"},
	} {
		if m := measures(test.field, test.unit); m.class != test.class || m.unit != test.as {
			t.Errorf("%s in %q is %+v", test.field, test.unit, m)
		}
	}
}

func TestTitle(t *testing.T) {
	for name, want := range map[string]string{"air.co2_level": "Air co2 level", "x": "X", "___": "___", "": "", "é": "É"} {
		if name == "" {
			continue // no field is empty
		}
		if got := title(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
