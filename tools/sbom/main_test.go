package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const modules = `{"bomFormat":"CycloneDX","serialNumber":"urn:uuid:1","metadata":{"timestamp":"2020-01-01T00:00:00Z","tools":[{}],"component":{"name":"edgelens","version":"v0"}},"components":[{"name":"a <b>","evidence":{"licenses":[{}]}},{"name":"github.com/pressly/goose/v3"}]}`

func TestComplete(t *testing.T) {
	native := "SQLite\t3.50\tblessing\tpkg:generic/sqlite@3.50\tcompiled in\t\nTensorFlow Lite\t2.17.1\tApache-2.0\tpkg:generic/tflite@2.17.1\tshipped\tabc\n"
	var out strings.Builder
	if err := complete(strings.NewReader(modules), &out, "1.2.3", time.Unix(86400, 0), native); err != nil {
		t.Fatal(err)
	}
	var got struct {
		SerialNumber string
		Metadata     struct {
			Timestamp string
			Tools     any
			Component struct{ Version string }
		}
		Components []struct {
			Name, Version, Purl string
			Hashes              []struct{ Alg, Content string }
			Licenses            []struct{ Expression string }
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.SerialNumber != "" || got.Metadata.Tools != nil || got.Metadata.Timestamp != "1970-01-02T00:00:00Z" || got.Metadata.Component.Version != "1.2.3" {
		t.Errorf("%+v", got)
	}
	if len(got.Components) != 4 || got.Components[0].Name != "a <b>" || got.Components[1].Licenses[0].Expression != "MIT" || got.Components[2].Licenses[0].Expression != "blessing" || len(got.Components[2].Hashes) != 0 ||
		got.Components[3].Hashes[0].Content != "abc" || got.Components[3].Purl != "pkg:generic/tflite@2.17.1" {
		t.Errorf("%+v", got.Components)
	}
}

func TestIncompleteInputIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ modules, native string }{
		"no document":   {"", ""},
		"no components": {`{"metadata":{"component":{}}}`, ""},
		"no program":    {`{"components":[]}`, ""},
		"not licensed":  {strings.Replace(modules, "goose", "duck", 1), ""},
		"five fields":   {modules, "a\tb\tc\td\te\n"},
		"no version":    {modules, "a\t\tc\td\te\t\n"},
		"no license":    {modules, "a\tb\t\td\te\t\n"},
	} {
		if err := complete(strings.NewReader(test.modules), &strings.Builder{}, "1", time.Now(), test.native); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
