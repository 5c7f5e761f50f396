package homeassistant_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"edgelens"
	"edgelens/homeassistant"
)

func picture(t testing.TB, width, height int, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			canvas.Set(x, y, color.RGBA{200, uint8(x), uint8(y), 255})
		}
	}
	var b bytes.Buffer
	if err := encode(&b, canvas); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(b *bytes.Buffer, m image.Image) error  { return png.Encode(b, m) }
func asJPEG(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) }

func TestThumbnail(t *testing.T) {
	for _, test := range []struct {
		encoded       []byte
		width, height int
	}{
		{picture(t, 1280, 720, asJPEG), 320, 180},
		{picture(t, 100, 1000, asPNG), 32, 320},
		{picture(t, 20, 10, asPNG), 20, 10},
		{picture(t, 2000, 1, asPNG), 320, 1},
	} {
		small, err := homeassistant.Thumbnail(test.encoded)
		if err != nil {
			t.Fatal(err)
		}
		decoded, format, err := image.DecodeConfig(bytes.NewReader(small))
		if err != nil || format != "jpeg" || decoded.Width != test.width || decoded.Height != test.height || len(small) > 64<<10 {
			t.Errorf("%s %d x %d, %d bytes: %v; want %d x %d", format, decoded.Width, decoded.Height, len(small), err, test.width, test.height)
		}
	}
}

func TestThumbnailRefuses(t *testing.T) {
	whole := picture(t, 64, 64, asJPEG)
	bomb := sized(picture(t, 1, 1, asPNG), 1<<31-1, 1<<31-1)
	for name, test := range map[string]struct {
		encoded []byte
		want    error
	}{
		"nothing":   {nil, edgelens.ErrBadImage},
		"text":      {[]byte("hello"), edgelens.ErrBadImage},
		"cut off":   {whole[:len(whole)/2], edgelens.ErrBadImage},
		"a bomb":    {bomb, edgelens.ErrBadImage},
		"too large": {sized(picture(t, 1, 1, asPNG), 3001, 3001), edgelens.ErrTooLarge},
		"too wide":  {sized(picture(t, 1, 1, asPNG), 1<<24, 1), edgelens.ErrTooLarge},
	} {
		if small, err := homeassistant.Thumbnail(test.encoded); !errors.Is(err, test.want) || small != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sized returns a PNG whose header has another size.
func sized(encoded []byte, width, height uint32) []byte {
	binary.BigEndian.PutUint32(encoded[16:], width)
	binary.BigEndian.PutUint32(encoded[20:], height)
	binary.BigEndian.PutUint32(encoded[29:], crc32.ChecksumIEEE(encoded[12:29]))
	return encoded
}

func FuzzThumbnail(f *testing.F) {
	f.Add(picture(f, 8, 8, asJPEG))
	f.Add(picture(f, 8, 8, asPNG))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if small, err := homeassistant.Thumbnail(encoded); (err == nil) != (len(small) > 0) {
			t.Errorf("%d bytes, %v", len(small), err)
		}
	})
}

func BenchmarkThumbnail(b *testing.B) {
	encoded := picture(b, 1920, 1080, asJPEG)
	for b.Loop() {
		if _, err := homeassistant.Thumbnail(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
