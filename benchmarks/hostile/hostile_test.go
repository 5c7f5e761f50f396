package hostile

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"hash/crc32"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

const testFlips = 4

// light are the inputs that are built in no time.
func light(t *testing.T, seed uint64) []Input {
	t.Helper()
	var inputs []Input
	for input := range Inputs(seed, testFlips) {
		if !input.Heavy {
			inputs = append(inputs, input)
		}
	}
	if len(inputs) < 100 {
		t.Fatalf("%d light inputs", len(inputs))
	}
	return inputs
}

func TestInputsHaveNamesAndReasons(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	seen := map[string]bool{}
	heavy := 0
	for input := range Inputs(1, testFlips) {
		if seen[input.Name] || !name.MatchString(input.Name) {
			t.Errorf("%q is not a name, or not the only one", input.Name)
		}
		seen[input.Name] = true
		if input.Why == "" || strings.HasSuffix(input.Why, ".") {
			t.Errorf("%s: why is %q", input.Name, input.Why)
		}
		if !input.Request && input.ContentType == "" {
			t.Errorf("%s has no Content-Type", input.Name)
		}
		if input.Heavy {
			heavy++
		}
	}
	if heavy < 50 || len(seen) < 200 {
		t.Errorf("%d inputs, %d of them heavy", len(seen), heavy)
	}
}

func TestSeedDecides(t *testing.T) {
	first, again, other := light(t, 1), light(t, 1), light(t, 2)
	same := 0
	for i, input := range first {
		data := input.Bytes()
		if len(data) > 1<<20 {
			continue // that one costs as much as all others
		}
		if !bytes.Equal(data, input.Bytes()) || !bytes.Equal(data, again[i].Bytes()) {
			t.Errorf("%s: one seed gives two inputs", input.Name)
		}
		if bytes.Equal(data, other[i].Bytes()) {
			same++
		}
	}
	if same > len(first)/2 {
		t.Errorf("%d of %d inputs are the same with another seed", same, len(first))
	}
}

// Every input is built in bounded time, within the limits of an upload: else it would test nothing but these.
func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the heavy inputs")
	}
	for input := range Inputs(3, 1) {
		begin := time.Now()
		data := input.Bytes()
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%s takes %v to build", input.Name, took)
		}
		limit := maxBytes
		switch {
		case input.Chunk > 1:
			continue // endless
		case input.ContentType == jsonType || input.ContentType == "text/plain":
			limit = maxJSON + 1000
		}
		if len(data) > limit {
			t.Errorf("%s has %d bytes, and %d are allowed", input.Name, len(data), limit)
		}
	}
}

// What a service must accept is an image by the standard library's word.
func TestAcceptedInputsDecode(t *testing.T) {
	decoded := 0
	for input := range Inputs(1, 0) {
		if input.Want != Accepted {
			continue
		}
		data := input.Bytes()
		if input.ContentType == jsonType {
			var body struct{ Image []byte }
			if err := json.Unmarshal(data, &body); err != nil {
				t.Errorf("%s: %v", input.Name, err)
				continue
			}
			data = body.Image
		}
		config, _, err := image.DecodeConfig(bytes.NewReader(data))
		if err == nil && config.Width*config.Height < 4*megapixel {
			_, _, err = image.Decode(bytes.NewReader(data))
		}
		if err != nil {
			t.Errorf("%s: %v", input.Name, err)
		}
		decoded++
	}
	if decoded < 20 {
		t.Errorf("%d inputs that must be accepted", decoded)
	}
}

// The ways to make an image are valid: small ones of each decode.
func TestConstructionsDecode(t *testing.T) {
	r := source(1, t.Name())
	tests := map[string]struct {
		data          []byte
		width, height int
	}{
		"flat color":            {flatColor(72, 41), 72, 41},
		"two bits":              {flatBits(sof0, 72, 41, 3, 1), 72, 41},
		"two bits, gray":        {flatBits(sof0, 72, 41, 1, 1), 72, 41},
		"three scans":           {flatBits(sof0, 72, 41, 3, 3), 72, 41},
		"progressive":           {progressive{width: 72, height: 41, components: 3, scans: 2}.jpeg(), 72, 41},
		"progressive, blocks":   {progressive{width: 72, height: 41, components: 3, scans: 9, eachBlock: true, low: 1}.jpeg(), 72, 41},
		"every bit":             {everyBit(72, 41, 3, false), 72, 41},
		"refined":               {refinedAll(r, 72, 41, 12), 72, 41},
		"long codes":            {longCodes(72, 41), 72, 41},
		"empty rows":            {emptyPNG(72, 41, 8, pngRGB, 4), 72, 41},
		"1 bit":                 {emptyPNG(72, 41, 1, pngGray, 0), 72, 41},
		"palette":               {emptyPNG(72, 41, 1, pngPalette, 0), 72, 41},
		"interlaced":            {interlacedPNG(72, 41, 16, pngRGBA, 4), 72, 41},
		"rows by the piece":     {emptyPNG(4000, 3000, 8, pngRGB, 2), 4000, 3000},
		"dynamic blocks":        {pngOf(16, 16, 8, pngRGB, 0, emptyBlocks(80, make([]byte, 16*49))), 16, 16},
		"stored blocks":         {pngOf(16, 16, 8, pngRGB, 0, storedBlocks(80, make([]byte, 16*49))), 16, 16},
		"lossless, flat":        {flatWebP(72, 41), 72, 41},
		"lossless, literal":     {literalWebP(r, 72, 41), 72, 41},
		"lossless, transforms":  {transformedWebP(72, 41, []uint32{transformPredict, transformColor, transformGreen}), 72, 41},
		"lossless, index":       {transformedWebP(72, 41, []uint32{transformIndex}), 72, 41},
		"lossless, groups":      {groupedWebP(r, 64, 100, false), 64, 64},
		"lossless, large ones":  {groupedWebP(r, 64, 100, true), 64, 64},
		"lossy":                 {webpFile(webpChunk("VP8 ", lossyPart(720, 410))), 720, 410},
		"bitmap":                {plainBMP(r, 72, 41), 72, 41},
		"TIFF, deflate":         {tiff{width: 72, height: 41, compression: tiffDeflate, data: deflateRows(make([]byte, 72), 41)}.file(), 72, 41},
		"TIFF, deflate, more":   {tiff{width: 72, height: 41, compression: tiffDeflate, data: zeros(1)}.file(), 72, 41},
		"TIFF, strips":          {tiff{width: 72, height: 41, compression: tiffNone, rows: 3, data: make([]byte, 72*3)}.file(), 72, 41},
		"TIFF, PackBits":        {tiff{width: 72, height: 41, compression: tiffPackBits, data: bytes.Repeat([]byte{0x81, 0}, 24)}.file(), 72, 41},
		"TIFF, LZW":             {tiff{width: 4000, height: 2500, compression: tiffLZW, data: flatLZW(4000 * 2500)}.file(), 4000, 2500},
		"TIFF, LZW, literal":    {tiff{width: 72, height: 40, compression: tiffLZW, rows: 8, data: literalLZW(make([]byte, 72*8))}.file(), 72, 40},
		"TIFF, fax":             {tiff{width: 72, height: 41, compression: tiffGroup4, bits: 1, data: bytes.Repeat([]byte{0xff}, 20)}.file(), 72, 41},
		"TIFF, empty blocks":    {tiff{width: 16, height: 41, compression: tiffDeflate, rows: 1, data: emptyBlocks(80, make([]byte, 16))}.file(), 16, 41},
		"GIF, flat":             {flatGIF(72, 41, 72, 41), 72, 41},
		"GIF, small frame":      {flatGIF(72, 41, 1, 1), 1, 1},
		"GIF":                   {gifOf(r, 2), 64, 64},
		"salted JPEG":           {bytes.Join(Salted(flatColor(72, 41), 7), nil), 72, 41},
		"salted PNG":            {bytes.Join(Salted(emptyPNG(72, 41, 8, pngRGB, 0), 7), nil), 72, 41},
		"salted WebP":           {bytes.Join(Salted(flatWebP(72, 41), 7), nil), 72, 41},
		"salted bitmap":         {bytes.Join(Salted(plainBMP(r, 72, 41), 7), nil), 72, 41},
		"thumbnail and profile": {afterStart(flatColor(72, 41), thumbnailed(flatColor(16, 16))), 72, 41},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			decoded, format, err := image.Decode(bytes.NewReader(test.data))
			if err != nil {
				t.Fatalf("%d bytes: %v", len(test.data), err)
			}
			if size := decoded.Bounds().Size(); size != image.Pt(test.width, test.height) {
				t.Errorf("%s of %v", format, size)
			}
		})
	}
}

func TestSaltIsOfTheNumber(t *testing.T) {
	for _, data := range [][]byte{flatColor(8, 8), emptyPNG(8, 8, 8, pngRGB, 0), flatWebP(8, 8), {1}, nil} {
		one, again, other := bytes.Join(Salted(data, 1), nil), bytes.Join(Salted(data, 1), nil), bytes.Join(Salted(data, 2), nil)
		if !bytes.Equal(one, again) || bytes.Equal(one, other) || len(one) <= len(data) {
			t.Errorf("%d bytes became %d", len(data), len(one))
		}
	}
}

// A stream that was put together from pieces inflates to what they stand for, and has its checksum.
func TestDeflaterForgesRows(t *testing.T) {
	var d deflater
	a, b := append([]byte{4}, make([]byte, 999)...), append([]byte{1}, make([]byte, 70_000)...)
	const countA, countB = 40_000, 300
	d.add(a, countA)
	d.add(b, countB)
	compressed := d.bytes()
	if !d.forged || len(compressed) > 200_000 {
		t.Fatalf("%d bytes, forged: %v", len(compressed), d.forged)
	}
	want := crc32.NewIEEE()
	for range countA {
		_, _ = want.Write(a)
	}
	for range countB {
		_, _ = want.Write(b)
	}
	in, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	have := crc32.NewIEEE()
	n, err := io.Copy(have, in)
	if err != nil || n != countA*1000+countB*70_001 || have.Sum32() != want.Sum32() {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestWant(t *testing.T) {
	for status, met := range map[int][3]bool{200: {true, true, false}, 422: {true, false, true}, 408: {}, 429: {}, 500: {}, 503: {}, 504: {}, 0: {}} {
		for want := range met {
			if Want(want).Met(status) != met[want] {
				t.Errorf("%d is the right answer where %v is: %v", status, Want(want), !met[want])
			}
		}
	}
}

func FuzzSalted(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff"), uint64(1))
	f.Add([]byte(pngSignature), uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, number uint64) {
		if joined := bytes.Join(Salted(data, number), nil); len(joined) <= len(data) {
			t.Errorf("%d bytes became %d", len(data), len(joined))
		}
	})
}
