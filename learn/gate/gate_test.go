package gate_test

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"edgelens"
	"edgelens/learn/gate"
)

func jpegOf(t *testing.T, s gate.Shot) []byte {
	t.Helper()
	data, err := s.JPEG()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestShotsAreReproducible checks that the same shot is the same file, and that each part of it matters.
func TestShotsAreReproducible(t *testing.T) {
	shot := gate.Shot{Site: 1, Seed: 19, Condition: gate.Day, Open: true}
	first := jpegOf(t, shot)
	if !bytes.Equal(first, jpegOf(t, shot)) {
		t.Error("the same shot gave another file")
	}
	for name, change := range map[string]func(*gate.Shot){
		"site":      func(s *gate.Shot) { s.Site++ },
		"seed":      func(s *gate.Shot) { s.Seed += 26 }, // the same quality
		"condition": func(s *gate.Shot) { s.Condition = gate.Rain },
		"open":      func(s *gate.Shot) { s.Open = false },
	} {
		other := shot
		change(&other)
		if bytes.Equal(first, jpegOf(t, other)) {
			t.Errorf("another %s gave the same file", name)
		}
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(first))
	if err != nil || config.Width != gate.Width || config.Height != gate.Height {
		t.Errorf("the image is %+v, %v", config, err)
	}
}

// TestOnlyTheGateDiffers checks for each kind of gate that an open and a closed one of the same seed differ where the gate is,
// and nowhere near the lower edge of the image.
func TestOnlyTheGateDiffers(t *testing.T) {
	for site := 1; site <= 4; site++ {
		shot := gate.Shot{Site: site, Seed: 3, Condition: gate.Day}
		closed, err := shot.Draw()
		if err != nil {
			t.Fatal(err)
		}
		shot.Open = true
		open, err := shot.Draw()
		if err != nil {
			t.Fatal(err)
		}
		differ, below := 0, 0
		for y := range gate.Height {
			for x := range gate.Width {
				r, _, _, _ := closed.At(x, y).RGBA()
				s, _, _, _ := open.At(x, y).RGBA()
				if math.Abs(float64(r)-float64(s)) > 0.2*65535 {
					differ++
					if y > gate.Height*9/10 {
						below++
					}
				}
			}
		}
		if share := float64(differ) / (gate.Width * gate.Height); share < 0.005 || share > 0.3 || below > 0 {
			t.Errorf("site %d: %.1f%% of the pixels differ, %d of them at the lower edge", site, 100*share, below)
		}
	}
}

// TestDuskIsDark checks that conditions do what they are named for.
func TestDuskIsDark(t *testing.T) {
	mean := func(c gate.Condition) float64 {
		drawn, err := gate.Shot{Site: 2, Seed: 5, Condition: c}.Draw()
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for y := range gate.Height {
			for x := range gate.Width {
				_, g, _, _ := drawn.At(x, y).RGBA()
				sum += float64(g) / 65535
			}
		}
		return sum / (gate.Width * gate.Height)
	}
	if day, dusk := mean(gate.Day), mean(gate.Dusk); dusk > 0.7*day {
		t.Errorf("the brightness is %v by day and %v at dusk", day, dusk)
	}
}

func TestShots(t *testing.T) {
	shots, err := gate.Shots(3, 12, 1)
	if err != nil {
		t.Fatal(err)
	}
	counts, seeds := map[any]int{}, map[uint64]bool{}
	for _, s := range shots {
		counts[s.Open]++
		counts[s.Condition]++
		seeds[s.Seed] = true
	}
	if counts[true] != 6 || counts[gate.Day] != 4 || counts[gate.Rain] != 4 || counts[gate.Dusk] != 4 || len(seeds) != 12 {
		t.Errorf("the shots are %v with %d seeds", counts, len(seeds))
	}
	for name, call := range map[string]func() ([]gate.Shot, error){
		"site 0":    func() ([]gate.Shot, error) { return gate.Shots(0, 1, 1) },
		"last site": func() ([]gate.Shot, error) { return gate.Shots(gate.MaxSite+1, 1, 1) },
		"no images": func() ([]gate.Shot, error) { return gate.Shots(1, 0, 1) },
		"condition": func() ([]gate.Shot, error) { return gate.Shots(1, 1, 1, "snow") },
	} {
		if _, err := call(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "gate")
	shots, err := gate.Shots(1, 3, 1, gate.Day)
	if err != nil {
		t.Fatal(err)
	}
	var reports []int
	report := func(done, all int, _ string) { reports = append(reports, done, all) }
	if err := gate.Write(t.Context(), dir, shots, report); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"open/site-1-day-0001.jpg", "closed/site-1-day-0002.jpg", "open/site-1-day-0003.jpg"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if len(reports) != 6 || reports[4] != 3 || reports[5] != 3 {
		t.Errorf("the progress was %v", reports)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := gate.Write(ctx, dir, shots, report); !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("a canceled Write returns %v", err)
	}
}

func BenchmarkJPEG(b *testing.B) {
	for b.Loop() {
		if _, err := (gate.Shot{Site: 1, Seed: 1, Condition: gate.Rain}).JPEG(); err != nil {
			b.Fatal(err)
		}
	}
}
