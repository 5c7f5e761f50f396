//go:build cgo

package preprocess

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
)

// same requires the same result for a file as for the plain one, without damage.
func same(t *testing.T, p *Preprocessor, file, plain []byte) {
	t.Helper()
	s := spec(20, 15, 3, models.Uint8)
	got := make([]byte, s.Bytes())
	info, _, err := p.Tensor(got, file, s)
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, tensor(t, p, plain, s)) {
		t.Error("another image than the plain one")
	}
	if info.Damaged {
		t.Error("it is reported as damaged")
	}
}

func TestPreambleIsSkipped(t *testing.T) {
	p := newPreprocessor(t)
	plain := map[string][]byte{
		"jpeg": asJPEG(scene(40, 30)), "png": asPNG(scene(40, 30)), "bmp": asBMP(scene(40, 30)), "webp": webpLossy, "gif": asGIF(scene(40, 30)),
	}
	for name, before := range map[string]string{
		"line breaks":       "\r\n\n",
		"zeros":             "\x00\x00\x00\x00",
		"byte order mark":   "\xEF\xBB\xBF",
		"part":              "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 1234\r\n\r\n",
		"part, bare breaks": "--frame\nContent-Type: image/jpeg\n\n",
		"header alone":      "Content-Disposition: form-data; name=\"file\"\r\n\r\n",
		"response":          "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n",
		"break, then part":  "\r\n--myboundary\r\nContent-type: image/jpeg\r\n\r\n",
		"two parts":         "--a\r\nContent-Type: text/plain\r\n\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n",
	} {
		for format, file := range plain {
			t.Run(format+" behind "+name, func(t *testing.T) { same(t, p, append([]byte(before), file...), file) })
		}
	}
	for name, before := range map[string]string{
		"prose":            "Dear Sir or Madam,\r\n\r\n",
		"a header forever": "X: " + strings.Repeat("y", maxPreamble) + "\r\n\r\n",
		"zeros forever":    strings.Repeat("\x00", maxPreamble+1),
		"five parts":       strings.Repeat("--a\r\nB: c\r\n\r\n", maxPreambleRuns+1),
		"no empty line":    "--frame\r\nContent-Type: image/jpeg\r\n",
	} {
		t.Run("not behind "+name, func(t *testing.T) {
			checkRefusal(t, append([]byte(before), plain["jpeg"]...), DefaultConfig(), edgelens.ErrUnsupportedFormat, "send a")
		})
	}
}

func TestMissingTrailerIsNoDamage(t *testing.T) {
	p := newPreprocessor(t)
	baseline := asJPEG(scene(40, 30))
	kinds := jpegKinds(t, 40, 30)
	file := asPNG(scene(40, 30))
	for name, test := range map[string]struct{ file, plain []byte }{
		"jpeg, half of EOI":             {baseline[:len(baseline)-1], baseline},
		"jpeg, zeros for EOI":           {append(bytes.Clone(baseline[:len(baseline)-2]), make([]byte, 512)...), baseline},
		"jpeg, the next one for EOI":    {append(bytes.Clone(baseline[:len(baseline)-2]), asJPEG(smooth(40, 30))...), baseline},
		"jpeg, start marker twice":      {append([]byte{0xFF, 0xD8}, baseline...), baseline},
		"jpeg, start marker thrice":     {append([]byte{0xFF, 0xD8, 0xFF, 0xD8}, baseline...), baseline},
		"jpeg, a boundary behind":       {append(bytes.Clone(baseline), "\r\n--frame--\r\n"...), baseline},
		"jpeg, bytes before EOI":        {append(append(bytes.Clone(baseline[:len(baseline)-2]), "padding"...), 0xFF, 0xD9), baseline},
		"png, no IEND":                  {file[:len(file)-12], file},
		"png, half of IEND":             {file[:len(file)-5], file},
		"png, another chunk at the end": {append(bytes.Clone(file[:len(file)-12]), "\x00\x00\x00\x09tEXtTit"...), file},
	} {
		t.Run(name, func(t *testing.T) { same(t, p, test.file, test.plain) })
	}
	for name, file := range kinds {
		t.Run("jpeg, no EOI: "+name, func(t *testing.T) { same(t, p, file[:len(file)-2], file) })
	}
}

// Truncated anywhere, an image is complete or rejected; never partial and unmarked.
func TestTensorRejectsTruncation(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(20, 15, 3, models.Uint8)
	for name, file := range everyKind(t) {
		t.Run(name, func(t *testing.T) {
			plain := tensor(t, p, file, s)
			for n := range len(file) {
				got := make([]byte, s.Bytes())
				_, _, err := p.Tensor(got, file[:n], s)
				if err == nil && !bytes.Equal(got, plain) {
					t.Fatalf("%d of %d bytes are another image", n, len(file))
				}
				if err != nil && !isRefusal(err) {
					t.Fatalf("%d of %d bytes: %v", n, len(file), err)
				}
			}
		})
	}
}

// A truncated file that is padded to its declared length is not complete.
func TestTruncatedImagePaddedWithZerosIsRejected(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(20, 15, 3, models.Uint8)
	for name, file := range jpegKinds(t, 40, 30) {
		padded := append(bytes.Clone(file[:len(file)*3/4]), make([]byte, len(file))...)
		if _, _, err := p.Tensor(make([]byte, s.Bytes()), padded, s); !errors.Is(err, edgelens.ErrBadImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Damage that a decoder detects is reported, and harmless damage is not.
func TestDamageIsReported(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(20, 15, 3, models.Uint8)
	baseline := asJPEG(scene(80, 60))
	closed := append(bytes.Clone(baseline[:len(baseline)*2/3]), 0xFF, 0xD9)
	data := deflated(append([]byte{0}, bytes.Repeat([]byte{1, 2, 3}, 20)...))
	data[len(data)-1] ^= 1
	for name, test := range map[string]struct {
		file    []byte
		damaged bool
	}{
		"jpeg":                        {baseline, false},
		"jpeg, cut and closed":        {closed, true},
		"png, wrong zlib checksum":    {pngOf(ihdr(20, 1, 8, 2, 0), pngChunkOf("IDAT", data), pngChunkOf("IEND", nil)), true},
		"jpeg, unknown JFIF revision": {insertSegments(baseline, jpegSegmentOf(0xE0, []byte("JFIF\x00\x09\x09\x00\x00\x01\x00\x01\x00\x00"))), false},
	} {
		info, _, err := p.Tensor(make([]byte, s.Bytes()), test.file, s)
		if err != nil || info.Damaged != test.damaged {
			t.Errorf("%s: damaged %v, %v", name, info.Damaged, err)
		}
	}
}

func TestAncillaryChunksMayBeDamaged(t *testing.T) {
	p := newPreprocessor(t)
	file := asPNG(scene(40, 30))
	broken := func(kind, data string) []byte {
		c := pngChunkOf(kind, []byte(data))
		c[len(c)-1] ^= 1
		return c
	}
	for name, chunks := range map[string][]byte{
		"text":             broken("tEXt", "Title\x00A cat"),
		"private":          broken("abCd", "x"),
		"time":             broken("tIME", "1234567"),
		"gamma":            broken("gAMA", "\x00\x00\x00\x01"),
		"a true gamma":     pngChunkOf("gAMA", []byte("\x00\x01\x00\x00")),
		"color profile":    pngChunkOf("iCCP", []byte("x\x00\x00junk")),
		"many texts":       bytes.Repeat(pngChunkOf("zTXt", append([]byte("k\x00\x00"), deflated([]byte("note"))...)), 200),
		"animation":        append(pngChunkOf("acTL", make([]byte, 8)), pngChunkOf("fcTL", make([]byte, 26))...),
		"no kind of chunk": pngChunkOf("a\x00b\xFF", nil),
	} {
		t.Run(name, func(t *testing.T) { same(t, p, insertChunk(file, chunks), file) })
	}
	for _, critical := range []string{"IDAT", "PLTE", "tRNS"} {
		checkRefusal(t, insertChunk(file, broken(critical, "abc")), DefaultConfig(), edgelens.ErrBadImage, "is damaged")
	}
}

// 16 MB of zeros after an image of 16x16 pixels are not inflated: a client that sends a
// gigabyte that way gains nothing.
func TestTrailingDataIsNotInflated(t *testing.T) {
	p := newPreprocessor(t)
	img := scene(40, 30)
	plain := asPNG(img)
	var raw []byte
	for y := range 30 {
		raw = append(raw, 0)
		for x := range 40 {
			c := img.NRGBAAt(x, y)
			raw = append(raw, c.R, c.G, c.B)
		}
	}
	data := deflated(append(raw, make([]byte, 16<<20)...))
	half := len(data) / 2
	file := pngOf(ihdr(40, 30, 8, 2, 0), pngChunkOf("IDAT", data[:half]), pngChunkOf("IDAT", data[half:]), pngChunkOf("IEND", nil))
	same(t, p, file, plain)
}

// exifWith is an EXIF block, little-endian, whose only entry is the orientation.
func exifWith(kind uint16, count uint32, value []byte, behind ...byte) []byte {
	b := append([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01"), byte(kind), byte(kind>>8), byte(count), byte(count>>8), byte(count>>16), byte(count>>24))
	b = append(append(b, value...), make([]byte, 4-len(value))...)
	return append(append(b, 0, 0, 0, 0), behind...)
}

func TestOrientationOfEveryType(t *testing.T) {
	at := []byte{26, 0, 0, 0} // behind the directory
	for name, test := range map[string]struct {
		block []byte
		want  int
	}{
		"byte":                {exifWith(1, 1, []byte{6}), 6},
		"undefined":           {exifWith(7, 1, []byte{6}), 6},
		"signed byte":         {exifWith(6, 1, []byte{6}), 6},
		"short":               {exifWith(3, 1, []byte{6, 0}), 6},
		"two shorts":          {exifWith(3, 2, []byte{6, 0, 1, 0}), 6},
		"three shorts":        {exifWith(3, 3, at, 6, 0, 1, 0, 1, 0), 6},
		"long":                {exifWith(4, 1, []byte{6, 0, 0, 0}), 6},
		"signed short":        {exifWith(8, 1, []byte{6, 0}), 6},
		"signed long":         {exifWith(9, 1, []byte{6, 0, 0, 0}), 6},
		"rational":            {exifWith(5, 1, at, 12, 0, 0, 0, 2, 0, 0, 0), 6},
		"signed rational":     {exifWith(10, 1, at, 6, 0, 0, 0, 1, 0, 0, 0), 6},
		"float":               {exifWith(11, 1, []byte{0, 0, 0xC0, 0x40}), 6},
		"double":              {exifWith(12, 1, at, 0, 0, 0, 0, 0, 0, 0x18, 0x40), 6},
		"no whole rational":   {exifWith(5, 1, at, 13, 0, 0, 0, 2, 0, 0, 0), 0},
		"rational by 0":       {exifWith(5, 1, at, 6, 0, 0, 0, 0, 0, 0, 0), 0},
		"no whole float":      {exifWith(11, 1, []byte{0, 0, 0xC8, 0x40}), 0},
		"not a number":        {exifWith(11, 1, []byte{0, 0, 0xC0, 0x7F}), 0},
		"negative":            {exifWith(6, 1, []byte{0xFA}), 0},
		"text":                {exifWith(2, 2, []byte("6\x00")), 0},
		"no type":             {exifWith(0, 1, []byte{6}), 0},
		"unknown type":        {exifWith(99, 1, []byte{6}), 0},
		"no value":            {exifWith(3, 0, []byte{6, 0}), 0},
		"values far outside":  {exifWith(5, 1, []byte{0xF0, 0xFF, 0xFF, 0xFF}), 0},
		"values at the end":   {exifWith(5, 1, at, 6, 0, 0, 0), 0},
		"4 billion shorts":    {exifWith(3, 0xFFFFFFFF, at, 6, 0), 6},
		"9":                   {exifWith(4, 1, []byte{9, 0, 0, 0}), 0},
		"65542, 6 as a short": {exifWith(4, 1, []byte{6, 0, 1, 0}), 0},
	} {
		if got := exifOrientation(test.block); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func xmpPacket(inner string) string {
	return `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		inner + `</rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
}

func TestXMPOrientation(t *testing.T) {
	const ns = `xmlns:tiff="http://ns.adobe.com/tiff/1.0/"`
	for name, test := range map[string]struct {
		packet string
		want   int
	}{
		"attribute":         {xmpPacket(`<rdf:Description ` + ns + ` tiff:Orientation="6"/>`), 6},
		"attribute, single": {xmpPacket(`<rdf:Description ` + ns + ` tiff:Orientation='6'/>`), 6},
		"element":           {xmpPacket(`<rdf:Description ` + ns + `><tiff:Orientation>8</tiff:Orientation></rdf:Description>`), 8},
		"element, blanks":   {xmpPacket(`<rdf:Description ` + ns + "><tiff:Orientation>\n 3 </tiff:Orientation></rdf:Description>"), 3},
		"another prefix":    {xmpPacket(`<rdf:Description xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"/>`), 6},
		"another namespace": {xmpPacket(`<rdf:Description xmlns:tiff="http://example.com/" tiff:Orientation="6"/>`), 0},
		"0":                 {xmpPacket(`<rdf:Description ` + ns + ` tiff:Orientation="0"/>`), 0},
		"no number":         {xmpPacket(`<rdf:Description ` + ns + ` tiff:Orientation="left"/>`), 0},
		"no XML":            {"tiff:Orientation=\"6\"", 0},
		"cut off":           {xmpPacket(`<rdf:Description ` + ns + ` tiff:Orientation="6"/>`)[:150], 0},
		"too large":         {xmpPacket(`<rdf:Description ` + ns + ` tiff:Orientation="6"/>` + strings.Repeat(" ", maxXMP)), 0},
		"entities":          {`<!DOCTYPE a [<!ENTITY b "6">]>` + xmpPacket(`<rdf:Description `+ns+`><tiff:Orientation>&b;</tiff:Orientation></rdf:Description>`), 0},
	} {
		if got := xmpOrientation([]byte(test.packet)); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// An orientation in any place is used, and that of Exif before that of XMP.
func TestOrientationOfEveryPlace(t *testing.T) {
	xmp := xmpPacket(`<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>`)
	jpegXMP := jpegSegmentOf(0xE1, []byte(xmpPrefix+xmp))
	raw := func(block []byte, lineBreaks bool) []byte {
		digits := hex.EncodeToString(block)
		if lineBreaks {
			for i := 72; i < len(digits); i += 73 {
				digits = digits[:i] + "\n" + digits[i:]
			}
		}
		return fmt.Appendf(nil, "\nexif\n%8d\n%s\n", len(block), digits)
	}
	exif := append([]byte(exifPrefix), exifWith(3, 1, []byte{6, 0})...)
	none := jpegExif(exifWith(2, 2, []byte("6\x00")))
	plain := asPNG(scene(8, 6))
	for name, test := range map[string]struct {
		file []byte
		want int
	}{
		"jpeg, XMP":                       {insertSegments(asJPEG(scene(8, 6)), jpegXMP), 6},
		"jpeg, Exif before XMP":           {insertSegments(asJPEG(scene(8, 6)), jpegXMP, jpegExif(exifWith(3, 1, []byte{3, 0}))), 3},
		"jpeg, upright by Exif":           {insertSegments(asJPEG(scene(8, 6)), jpegExif(exifWith(3, 1, []byte{1, 0})), jpegXMP), 1},
		"jpeg, Exif without, XMP":         {insertSegments(asJPEG(scene(8, 6)), none, jpegXMP), 6},
		"jpeg, Exif without, then with":   {insertSegments(asJPEG(scene(8, 6)), none, jpegExif(exifWith(3, 1, []byte{6, 0}))), 6},
		"png, profile":                    {insertChunk(plain, pngChunkOf("zTXt", append([]byte("Raw profile type exif\x00\x00"), deflated(raw(exif, true))...))), 6},
		"png, profile, APP1":              {insertChunk(plain, pngChunkOf("zTXt", append([]byte("Raw profile type APP1\x00\x00"), deflated(raw(exif, false))...))), 6},
		"png, profile as plain text":      {insertChunk(plain, pngChunkOf("tEXt", append([]byte("Raw profile type exif\x00"), raw(exif, true)...))), 6},
		"png, profile with XMP":           {insertChunk(plain, pngChunkOf("tEXt", append([]byte("Raw profile type APP1\x00"), raw([]byte(xmpPrefix+xmp), true)...))), 6},
		"png, profile of junk":            {insertChunk(plain, pngChunkOf("tEXt", []byte("Raw profile type exif\x00\nexif\n 4\nxyzw"))), 1},
		"png, profile without end":        {insertChunk(plain, pngChunkOf("zTXt", append([]byte("Raw profile type exif\x00\x00"), deflated(raw(exif, true))[:20]...))), 1},
		"png, XMP":                        {insertChunk(plain, pngChunkOf("iTXt", []byte(xmpKeyword+"\x00\x00\x00\x00\x00"+xmp))), 6},
		"png, XMP, compressed":            {insertChunk(plain, pngChunkOf("iTXt", append([]byte(xmpKeyword+"\x00\x01\x00en\x00\x00"), deflated([]byte(xmp))...))), 6},
		"png, eXIf before a profile":      {insertChunk(plain, pngChunkOf("tEXt", append([]byte("Raw profile type exif\x00"), raw(exif, true)...)), pngChunkOf("eXIf", exifWith(3, 1, []byte{3, 0}))), 3},
		"png, eXIf behind the image data": {append(bytes.Clone(plain[:len(plain)-12]), append(pngChunkOf("eXIf", exifWith(3, 1, []byte{6, 0})), plain[len(plain)-12:]...)...), 6},
		"webp, XMP":                       {riff(vp8x(0x04, 8, 6), bitstream(webpLossy), riffChunk("XMP ", []byte(xmp))), 6},
		"webp, animated":                  {riff(vp8x(0x0A, 8, 6), riffChunk("ANMF", anmf(0, 0, 8, 6, bitstream(webpLossy))), riffChunk("EXIF", exifWith(3, 1, []byte{6, 0}))), 6},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := inspect(test.file, DefaultConfig())
			if err != nil || h.orientation != test.want {
				t.Errorf("orientation %d, want %d, %v", h.orientation, test.want, err)
			}
		})
	}
}

// A text that would inflate without end is ignored.
func TestInflatedTextIsLimited(t *testing.T) {
	bomb := append([]byte("Raw profile type exif\x00\x00"), deflated(make([]byte, 20<<20))...)
	file := insertChunk(asPNG(scene(8, 6)), bytes.Repeat(pngChunkOf("zTXt", bomb), 3*maxPNGTexts))
	if h, err := inspect(file, DefaultConfig()); err != nil || h.orientation != 1 {
		t.Errorf("%+v, %v", h.info(), err)
	}
}
