package api

import (
	"encoding/json"
	"testing"

	"edgelens"
)

// FuzzRegionObject checks that what is read is valid, and the same as encoding/json reads.
func FuzzRegionObject(f *testing.F) {
	for _, seed := range []string{
		`{"x":0.25,"y":0,"width":0.5,"height":1}`, ` { "height" : 1e0 , "x":-0,"y":2.5e-1,"width":.5 }`, `{"x":0,"x":0,"y":0,"width":1}`, `{"x":0,"y":0,"width":1e400,"height":1}`,
		`{"x":0,"y":0,"width":0,"height":0}`, `{"x":NaN,"y":0,"width":1,"height":1}`, `[0,0,1,1]`, `{}`, `{`, ``, `"0,0,1,1"`, `{"\u0078":0,"y":0,"width":1,"height":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		region, ok := readRegionObject(value)
		if !ok {
			return
		}
		if region == (edgelens.Region{}) || region.Check() != nil {
			t.Errorf("%q is %+v", value, region)
		}
		var want map[string]float64
		if err := json.Unmarshal(value, &want); err != nil || len(want) != 4 || want["x"] != region.X || want["y"] != region.Y || want["width"] != region.Width || want["height"] != region.Height {
			t.Errorf("%q is %+v, and for encoding/json %v, %v", value, region, want, err)
		}
		if back, ok := readRegion(region.String()); !ok || back != region {
			t.Errorf("%q as text, %q, is %+v", value, region, back)
		}
	})
}
