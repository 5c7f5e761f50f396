package main

import (
	"slices"
	"strings"
	"testing"
)

// measured returns a build with one value of each figure, which is scale times a common one.
func measured(name string, scale float64) *build {
	b := &build{name: name}
	for _, f := range figures(true) {
		value := 10 * scale // durations
		if f.unit == "/s" {
			value = 100 / scale
		}
		if f.unit == "MB" {
			value = 100
		}
		b.add(f.name, value)
	}
	return b
}

// rowOf returns the row of a figure.
func rowOf(t *testing.T, rows [][]string, name string) []string {
	t.Helper()
	i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == name })
	if i < 0 {
		t.Fatalf("no row %q in %q", name, rows)
	}
	if len(rows[i]) != len(rows[0]) {
		t.Errorf("%q has not the columns of %q", rows[i], rows[0])
	}
	return rows[i]
}

func TestFiguresAndTargets(t *testing.T) {
	builds := []*build{measured("old", 1), measured("new", 0.5), measured("LiteRT", 2)}
	rows := figureRows(builds, true)
	for name, want := range map[string][]string{
		invokeInt8:                      {invokeInt8, "10 ms", "5 ms", "20 ms", "0.50", "2.00", "at most 0.55", "yes"},
		invokeFloat32:                   {invokeFloat32, "10 ms", "5 ms", "20 ms", "0.50", "2.00", "", ""},
		invokeUint8:                     {invokeUint8, "10 ms", "5 ms", "20 ms", "2.00 times faster", "0.50 times faster", "at least 4.00", "MISSED"},
		ceiling + "720p":                {ceiling + "720p", "100 /s", "200 /s", "50 /s", "2.00", "0.50", "at least 1.50", "yes"},
		memory:                          {memory, "100 MB", "100 MB", "100 MB", "1.00", "1.00", "at most 1.05", "yes"},
		"service / its ceiling at 720p": {"service / its ceiling at 720p", "1.00", "1.00", "1.00", "", "", "at least 0.90", "yes"},
	} {
		if got := rowOf(t, rows, name); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	builds[1] = measured("new", 0.9)
	if got := rowOf(t, figureRows(builds, true), invokeInt8); got[7] != "MISSED" {
		t.Errorf("0.9 on VNNI: %q", got)
	}
	if got := rowOf(t, figureRows(builds, false), invokeInt8); got[6] != "at most 1.00" || got[7] != "yes" {
		t.Errorf("0.9 without VNNI: %q", got)
	}
	delete(builds[0].values, invokeInt8)
	if got := rowOf(t, figureRows(builds, true), invokeInt8); got[1] != "-" || got[7] != "not measured" {
		t.Errorf("without the old one: %q", got)
	}
}

func TestBestIsTheLowestAndMedianOfTurns(t *testing.T) {
	b := &build{}
	for _, v := range []float64{3, 1, 2, 9, 8} {
		b.add("x", v)
	}
	if v, _ := (figure{name: "x", best: true}).of(b); v != 1 {
		t.Errorf("best %v", v)
	}
	if v, _ := (figure{name: "x"}).of(b); v != 3 {
		t.Errorf("median %v", v)
	}
}

func TestAnswersAreCompared(t *testing.T) {
	of := func(classes ...int) *build {
		b := &build{name: "new", first: map[string]map[string]class{"m": {}}, right: map[string]int{"m": 0}, count: map[string]int{"m": len(classes)}}
		for i, c := range classes {
			b.first["m"][strings.Repeat("i", i+1)] = class{c, 0.5}
			if c == 7 {
				b.right["m"]++
			}
		}
		return b
	}
	rows, others := answerRows([]*build{of(7, 7, 7, 7), of(7, 7, 7, 8)})
	if got := rows[2]; !slices.Equal(got, []string{"m", "new", "75.0% of 4", "-25.00", "MISSED", "3 of 4", "MISSED"}) {
		t.Errorf("%q", got)
	}
	if len(others) != 2 || !slices.Equal(others[1], []string{"iiii", "m", "new", "7 (0.500)", "8 (0.500)"}) {
		t.Errorf("%q", others)
	}
	rows, others = answerRows([]*build{of(7, 7, 7), of(7, 7, 7)})
	if got := rows[2]; got[4] != "yes" || got[6] != "yes" || len(others) != 1 {
		t.Errorf("%q, %q", got, others)
	}
	short := of(7, 7)
	delete(short.first["m"], "i")
	if _, others = answerRows([]*build{of(7, 7), short}); len(others) != 2 || others[1][4] != "no answer" {
		t.Errorf("a missing answer: %q", others)
	}
}

func TestPhotosAreRead(t *testing.T) {
	b := &build{first: map[string]map[string]class{"m": {}}}
	err := b.addPhotos("m", []byte(`{"file":"/a/cat.bmp","predictions":[{"class_id":283,"probability":0.7},{"class_id":1,"probability":0.1}]}
{"file":"b.bmp","error":"not an image"}
`))
	if err != nil || len(b.first["m"]) != 1 || b.first["m"]["cat.bmp"] != (class{283, 0.7}) {
		t.Errorf("%+v, %v", b.first, err)
	}
	if err := b.addPhotos("m", []byte("{")); err == nil {
		t.Error("damaged lines are no error")
	}
}
