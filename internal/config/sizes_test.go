package config

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"20971520": 20971520, "20MB": 20_000_000, "20 MiB": 20 << 20, "1.5gib": 3 << 29, "0": 0, "64kB": 64_000, "7B": 7, "-1": -1, "9007199254740993": 9007199254740993, " 2TiB ": 2 << 40,
	} {
		var got int64
		if err := size(&got).Set(text); err != nil || got != want {
			t.Errorf("%q: %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "20XB", "20 M B", "1e3", "0x10", "NaN", "inf", "1.5B", "20mbb", "1.0000001KiB", "99999999999999999999", "9999999TiB", "20MB5", "2_0"} {
		got := int64(-7)
		if err := size(&got).Set(text); err == nil || got != -7 {
			t.Errorf("%q: %d %v, want an error", text, got, err)
		}
	}
}
