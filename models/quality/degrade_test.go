package quality_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"edgelens"
)

// degraded returns the JPEG that a camera would send of a scene with one
// degradation, as README.md defines the verdicts; implemented again, independent of
// the code that made the training images.
func degraded(t testing.TB, r *rand.Rand, scene light, verdict string) []byte {
	t.Helper()
	side, noise := float64(min(scene.w, scene.h)), 1.0
	switch verdict {
	case edgelens.QualityBlurred:
		scene = scene.defocused(side * between(r, 0.02, 0.05))
	case edgelens.QualityDark:
		gain := linear(between(r, 30, 80)/255) / quantile(scene.brightest(), 0.95)
		scene = scene.each(func(_, _, _ int, v float64) float64 { return v * gain })
	case edgelens.QualityOverexposed:
		white := quantile(scene.rgb[1], 1-between(r, 0.4, 0.8))
		scene = scene.each(func(_, _, _ int, v float64) float64 { return v / max(white, 1e-4) * 1.1 })
	case edgelens.QualityNoisy:
		noise = between(r, 20, 50)
	case edgelens.QualityBlocked:
		scene = covered(r, scene)
	case edgelens.QualityBlank:
		scene, noise = wall(r, scene.w, scene.h), between(r, 0, 4)
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, scene.image(r, noise), &jpeg.Options{Quality: 50 + r.IntN(46)}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func between(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

func quantile(values []float64, q float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[int(q*float64(len(sorted)-1))]
}

// covered has an object before 55 to 85 % of it: skin, cloth or plastic, out
// of focus, that came in from one side.
func covered(r *rand.Rand, scene light) light {
	looks := [][3]float64{{0.45, 0.25, 0.18}, {0.2, 0.11, 0.08}, {0.1, 0.1, 0.1}, {0.35, 0.35, 0.33}, {0.05, 0.08, 0.3}}[r.IntN(5)]
	sin, cos := math.Sincos(between(r, 0, 2*math.Pi))
	along := func(x, y int) float64 { return float64(x)*cos + float64(y)*sin }
	var all []float64
	for i := range scene.w * scene.h {
		all = append(all, along(i%scene.w, i/scene.w))
	}
	side := float64(min(scene.w, scene.h))
	edge, soft := quantile(all, between(r, 0.55, 0.85)), side*between(r, 0.02, 0.06)
	return scene.each(func(c, x, y int, v float64) float64 {
		hides := 1 / (1 + math.Exp((along(x, y)-edge)/soft*2))
		fold := 1 + 0.3*math.Sin(float64(x)*cos*9/side-float64(y)*sin*5/side)
		return v*(1-hides) + looks[c]*fold*hides
	})
}

// wall is one color, lit slightly unevenly.
func wall(r *rand.Rand, w, h int) light {
	base := [3]float64{}
	level := math.Pow(10, between(r, -2.5, -0.2))
	for c := range base {
		base[c] = level * between(r, 0.7, 1)
	}
	slope := between(r, -0.4, 0.4)
	return newLight(w, h).each(func(c, x, y int, _ float64) float64 {
		return base[c] * (1 + slope*(float64(x)/float64(w)-0.5))
	})
}

// synthetic is a scene of a few dozen shaded objects in front of a wall or a sky.
func synthetic(r *rand.Rand, w, h int) light {
	scene := wall(r, w, h)
	back := between(r, 0.2, 0.8)
	scene = scene.each(func(c, _, y int, _ float64) float64 { return back * (1 - 0.4*float64(y)/float64(h)) })
	side := float64(min(w, h))
	for range 20 + r.IntN(60) {
		cx, cy := r.Float64()*float64(w), r.Float64()*float64(h)
		rx, ry := side*between(r, 0.02, 0.2), side*between(r, 0.02, 0.2)
		round := r.IntN(2) == 0
		looks := [3]float64{}
		level := between(r, 0.02, 0.9)
		for c := range looks {
			looks[c] = level * between(r, 0.4, 1)
		}
		tilt := between(r, -0.5, 0.5)
		for y := max(int(cy-ry), 0); y < min(int(cy+ry), h); y++ {
			for x := max(int(cx-rx), 0); x < min(int(cx+rx), w); x++ {
				dx, dy := (float64(x)-cx)/rx, (float64(y)-cy)/ry
				if round && dx*dx+dy*dy > 1 {
					continue
				}
				for c := range looks {
					scene.rgb[c][y*w+x] = looks[c] * (1 + tilt*dx)
				}
			}
		}
	}
	return scene.defocused(0.8) // a lens in good order
}

// view is a part of a photograph, at least three quarters of its sides.
func view(r *rand.Rand, photo light) light {
	w, h := int(float64(photo.w)*between(r, 0.75, 1)), int(float64(photo.h)*between(r, 0.75, 1))
	x0, y0 := r.IntN(photo.w-w+1), r.IntN(photo.h-h+1)
	return newLight(w, h).each(func(c, x, y int, _ float64) float64 {
		return photo.rgb[c][(y0+y)*photo.w+x0+x]
	})
}

// decoded reads any image that Go can.
func decoded(t testing.TB, file []byte) light {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return lightOf(img)
}
