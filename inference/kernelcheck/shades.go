package kernelcheck

import "math"

// rgb is a color, each channel from 0 to 1.
type rgb [3]float64

var (
	black = rgb{0.05, 0.05, 0.05}
	white = rgb{0.97, 0.97, 0.97}
	gray  = rgb{0.5, 0.5, 0.5}
)

// A shade is the color of an image at x and y, both from 0 to 1, from the upper left corner.
type shade func(x, y float64) rgb

// hash returns a number from 0 to 1 that is random for each i and j, and always the same.
func hash(i, j int) float64 {
	h := uint32(i)*374761393 + uint32(j)*668265263
	h = (h ^ h>>13) * 1274126177
	return float64((h^h>>16)&0xffff) / 65536
}

func between(v, low, high float64) bool { return v >= low && v < high }

// mix returns a for f of 0, b for 1, and colors between for those between.
func mix(a, b rgb, f float64) rgb {
	f = min(max(f, 0), 1)
	for c := range a {
		a[c] = a[c]*(1-f) + b[c]*f
	}
	return a
}

// scaled returns a lighter or darker color.
func scaled(a rgb, f float64) rgb {
	for c := range a {
		a[c] = min(a[c]*f, 1)
	}
	return a
}

// cell returns in which of n equal parts v is, and where in it, from 0 to 1.
func cell(v float64, n int) (int, float64) {
	v *= float64(n)
	i := math.Floor(v)
	return int(i), v - i
}

func sky(y float64) rgb { return mix(rgb{0.35, 0.6, 0.95}, rgb{0.8, 0.9, 1}, y) }

func trafficLight(x, y float64) rgb {
	if between(x, 0.33, 0.67) && between(y, 0.06, 0.9) {
		for i, c := range []rgb{{1, 0.15, 0.1}, {0.35, 0.28, 0.02}, {0.02, 0.3, 0.1}} {
			cy := 0.2 + 0.28*float64(i)
			d := math.Hypot(x-0.5, y-cy)
			if d < 0.11 {
				return mix(scaled(c, 1.15), scaled(c, 0.8), d/0.11)
			}
			if d < 0.13 {
				return black
			}
		}
		return rgb{0.13, 0.14, 0.13}
	}
	if between(x, 0.47, 0.53) && y >= 0.9 {
		return rgb{0.3, 0.3, 0.3}
	}
	return sky(y)
}

func honeycomb(x, y float64) rgb {
	const n = 9
	best, second := 9.0, 9.0 // distances to the nearest centers of cells
	var bi, bj int
	v := y * n * 1.1547
	for j := int(v) - 1; j <= int(v)+2; j++ {
		for i := int(x*n) - 1; i <= int(x*n)+2; i++ {
			cx := float64(i) + 0.5*float64(j&1)
			d := math.Hypot(x*n-cx, (v-float64(j))*0.866)
			if d < best {
				best, second, bi, bj = d, best, i, j
			} else if d < second {
				second = d
			}
		}
	}
	edge := second - best
	if edge < 0.16 {
		return rgb{0.95, 0.72, 0.25}
	}
	return mix(rgb{0.75, 0.42, 0.06}, rgb{0.3, 0.13, 0.01}, 1.4*(edge-0.16)+0.4*hash(bi, bj))
}

// segments are the lit parts of the digits of a clock: top, the upper left and right,
// middle, the lower left and right, bottom.
var segments = []string{"1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011"}

// digit reports whether a segment of a digit is lit at x and y, both from 0 to 1.
func digit(n int, x, y float64) bool {
	lit := segments[n]
	const w = 0.09
	on := func(i int) bool { return lit[i] == '1' }
	switch {
	case between(x, w, 1-w) && between(y, 0, w):
		return on(0)
	case between(x, 0, 1.6*w) && between(y, w, 0.5-w/4):
		return on(1)
	case between(x, 1-1.6*w, 1) && between(y, w, 0.5-w/4):
		return on(2)
	case between(x, w, 1-w) && between(y, 0.5-w/2, 0.5+w/2):
		return on(3)
	case between(x, 0, 1.6*w) && between(y, 0.5+w/4, 1-w):
		return on(4)
	case between(x, 1-1.6*w, 1) && between(y, 0.5+w/4, 1-w):
		return on(5)
	case between(x, w, 1-w) && between(y, 1-w, 1):
		return on(6)
	}
	return false
}

func digitalClock(x, y float64) rgb {
	red := rgb{1, 0.12, 0.08}
	if !between(x, 0.06, 0.94) || !between(y, 0.25, 0.78) {
		if y > 0.8 {
			return rgb{0.35, 0.25, 0.18}
		}
		return rgb{0.2, 0.18, 0.2}
	}
	if !between(x, 0.1, 0.9) || !between(y, 0.31, 0.72) {
		return rgb{0.1, 0.1, 0.11}
	}
	for i, n := range []int{1, 2, 3, 8} {
		left := []float64{0.13, 0.31, 0.54, 0.72}[i]
		if between(x, left, left+0.15) && between(y, 0.37, 0.66) && digit(n, (x-left)/0.15, (y-0.37)/0.29) {
			return red
		}
	}
	if math.Hypot(x-0.5, y-0.45) < 0.015 || math.Hypot(x-0.5, y-0.58) < 0.015 {
		return red
	}
	return rgb{0.08, 0.01, 0.01}
}

func crossword(x, y float64) rgb {
	const n = 13
	i, fx := cell(x, n)
	j, fy := cell(y, n)
	const w = 0.06
	if fx < w || fy < w || fx > 1-w || fy > 1-w {
		return black
	}
	if i%2 == 1 && j%2 == 1 || hash(min(i, n-1-i), min(j, n-1-j)) > 0.85 {
		return black
	}
	if fx < 0.32 && fy < 0.35 && fx > 0.12 && fy > 0.12 && hash(i, j) > 0.5 {
		return gray
	}
	return white
}

func spiderWeb(x, y float64) rgb {
	back := mix(rgb{0.05, 0.2, 0.08}, rgb{0.1, 0.1, 0.1}, y)
	dx, dy := x-0.5, y-0.48
	r, a := math.Hypot(dx, dy), math.Atan2(dy, dx)/(2*math.Pi)*16
	f := math.Abs(a - math.Round(a))
	across := f * r * 2 * math.Pi / 16
	if across < 0.0035 {
		return white
	}
	ring := (r - 0.03*(f-0.5)*(f-0.5)*4*0.5) * 18
	if r < 0.55 && math.Abs(ring-math.Round(ring)) < 0.07 {
		return rgb{0.85, 0.88, 0.9}
	}
	return back
}

func umbrella(x, y float64) rgb {
	dx := (x - 0.5) / 0.42
	top := 0.18
	if math.Abs(dx) < 1 {
		roof := top + 0.34*(1-math.Sqrt(1-dx*dx))
		_, f := cell((dx+1)/2, 5)
		hem := 0.54 - 0.05*math.Sin(math.Pi*f)
		if between(y, roof, hem) {
			s := math.Asin(dx) / math.Pi * 6
			if int(math.Floor(s+3))%2 == 0 {
				return rgb{0.85, 0.1, 0.12}
			}
			return rgb{0.98, 0.85, 0.2}
		}
	}
	if between(x, 0.49, 0.51) && between(y, 0.12, 0.84) {
		return rgb{0.25, 0.15, 0.1}
	}
	if d := math.Hypot(x-0.45, y-0.84); y > 0.84 && between(d, 0.04, 0.06) {
		return rgb{0.25, 0.15, 0.1}
	}
	return mix(rgb{0.75, 0.85, 0.9}, rgb{0.9, 0.92, 0.9}, y)
}

func candle(x, y float64) rgb {
	glow := math.Exp(-12 * ((x-0.5)*(x-0.5) + (y-0.3)*(y-0.3)))
	back := rgb{0.05 + 0.4*glow, 0.03 + 0.2*glow, 0.02 + 0.05*glow}
	dy := (y - 0.3) / 0.13
	width := 0.045 * math.Sqrt(max(0, 1-dy*dy)) * (1 + 0.5*dy)
	if math.Abs(x-0.5) < width {
		return mix(rgb{1, 0.98, 0.8}, rgb{1, 0.6, 0.1}, math.Abs(x-0.5)/width)
	}
	if between(x, 0.496, 0.504) && between(y, 0.4, 0.47) {
		return black
	}
	if between(x, 0.4, 0.6) && between(y, 0.46, 0.95) {
		return mix(rgb{0.98, 0.85, 0.6}, rgb{0.6, 0.4, 0.25}, (y-0.46)/0.5+math.Abs(x-0.47)*2)
	}
	return back
}

func windowShade(x, y float64) rgb {
	_, f := cell(y, 22)
	light := 0.6 + 0.4*f
	if between(x, 0.3, 0.31) || between(x, 0.7, 0.71) {
		return rgb{0.5, 0.5, 0.45}
	}
	return scaled(rgb{0.95, 0.92, 0.82}, light)
}

func shoji(x, y float64) rgb {
	_, fx := cell(x, 4)
	_, fy := cell(y, 6)
	if fx < 0.07 || fy < 0.07 {
		return rgb{0.35, 0.2, 0.1}
	}
	return rgb{0.97, 0.94, 0.85}
}

func balloon(x, y float64) rgb {
	dx, dy := (x-0.5)/0.3, (y-0.36)/0.3
	r := math.Hypot(dx, dy)
	if dy > 0 {
		r = math.Hypot(dx*(1+0.45*dy), dy/1.25)
	}
	if r < 1 {
		s := math.Asin(min(max(dx/math.Sqrt(max(1e-6, 1-dy*dy*0.64)), -1), 1)) / math.Pi * 8
		colors := []rgb{{0.9, 0.1, 0.1}, {1, 0.85, 0.1}, {0.1, 0.3, 0.8}}
		return colors[((int(math.Floor(s))%3)+3)%3]
	}
	if between(x, 0.46, 0.54) && between(y, 0.8, 0.87) {
		return rgb{0.4, 0.25, 0.1}
	}
	if between(y, 0.7, 0.8) && (math.Abs(x-0.47+0.1*(0.8-y)) < 0.003 || math.Abs(x-0.53-0.1*(0.8-y)) < 0.003) {
		return black
	}
	return sky(y)
}
