package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"edgelens"
)

// checkRefusal inspects a file and requires an error that wraps sentinel, contains
// the words, and allocates almost no memory.
func checkRefusal(t *testing.T, file []byte, limits Config, sentinel error, words string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := inspect(file, limits)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, sentinel) {
		t.Fatalf("inspect() = %v, want %v", err, sentinel)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("%q does not contain %q", err, words)
	}
	if !strings.HasPrefix(err.Error(), "check ") {
		t.Errorf("%q does not name the action", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("refusing %d bytes allocated %d", len(file), n)
	}
}

// wide is a Config with the widest limits, to reach the checks after
// those of the dimensions.
var wide = Config{MaxPixels: opencvMaxPixels, MaxSide: opencvMaxSide, MaxScans: 100}

// sof returns a frame header of three components, color at half resolution.
func sof(marker byte, precision byte, width, height int) []byte {
	return jpegSegmentOf(marker, []byte{precision, byte(height >> 8), byte(height), byte(width >> 8), byte(width), 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0})
}

func jpegOf(segments ...[]byte) []byte {
	return append(append([]byte{0xFF, 0xD8}, bytes.Join(segments, nil)...), 0xFF, 0xD9)
}

// sos is a scan header of one component and a few bytes of its data.
func sos(coded int) []byte {
	return append(jpegSegmentOf(0xDA, []byte{1, 1, 0, 0, 0, 0}), make([]byte, coded)...)
}

type refusal struct {
	file     []byte
	limits   Config
	sentinel error
	words    string
}

func badJPEGs() map[string]refusal {
	bad, foreign := edgelens.ErrBadImage, edgelens.ErrUnsupportedFormat
	defaults := DefaultConfig()
	good := asJPEG(webpScene())
	scans := bytes.Repeat(sos(5), 10_000)
	replaced := func(i int, b byte) []byte {
		f := bytes.Clone(good)
		f[bytes.Index(f, []byte{0xFF, 0xC0})+i] = b
		return f
	}
	return map[string]refusal{
		"bomb: no image data, 65500x16000":    {jpegOf(sof(0xC0, 8, 65500, 16000), sos(2)), wide, bad, "2 bytes of image data"},
		"bomb: the same at the defaults":      {jpegOf(sof(0xC0, 8, 65500, 16000), sos(2)), defaults, bad, "250000000 is the limit"},
		"bomb: just under the limits":         {jpegOf(sof(0xC2, 8, 7000, 7000), sos(1000)), defaults, bad, "1000 bytes of image data"},
		"bomb: 10,000 scans":                  {jpegOf(sof(0xC2, 8, 640, 480), scans), defaults, bad, "more than 100 scans"},
		"no image data at all":                {jpegOf(sof(0xC0, 8, 8, 6)), defaults, bad, "no image data"},
		"only SOI and EOI":                    {jpegOf(), defaults, bad, "no image data"},
		"data before dimensions":              {jpegOf(sos(10), sof(0xC0, 8, 8, 6)), defaults, bad, "before its dimensions"},
		"two frames":                          {jpegOf(sof(0xC0, 8, 8, 6), sof(0xC0, 8, 8, 6), sos(10)), defaults, bad, "two frame headers"},
		"a frame after the data":              {jpegOf(sof(0xC0, 8, 8, 6), sos(10), sof(0xC0, 8, 800, 600)), defaults, bad, "two frame headers"},
		"no height (DNL)":                     {jpegOf(sof(0xC0, 8, 8, 0), sos(10)), defaults, bad, "8x0 pixels"},
		"no width":                            {jpegOf(sof(0xC0, 8, 0, 8), sos(10)), defaults, bad, "0x8 pixels"},
		"lossless":                            {jpegOf(sof(0xC3, 8, 8, 6), sos(10)), defaults, foreign, "SOF3"},
		"hierarchical":                        {jpegOf(sof(0xC5, 8, 8, 6), sos(10)), defaults, foreign, "SOF5"},
		"arithmetic":                          {jpegOf(sof(0xC9, 8, 8, 6), sos(10)), defaults, foreign, "SOF9"},
		"progressive arithmetic":              {jpegOf(sof(0xCA, 8, 8, 6), sos(10)), defaults, foreign, "SOF10"},
		"12 bits":                             {jpegOf(sof(0xC1, 12, 8, 6), sos(10)), defaults, foreign, "12 bits"},
		"two components":                      {jpegOf(jpegSegmentOf(0xC0, []byte{8, 0, 6, 0, 8, 2, 1, 0x11, 0, 2, 0x11, 0}), sos(10)), defaults, foreign, "2 color components"},
		"no components":                       {jpegOf(jpegSegmentOf(0xC0, []byte{8, 0, 6, 0, 8, 0}), sos(10)), defaults, foreign, "0 color components"},
		"sampling of 0":                       {replaced(11, 0x02), defaults, bad, "frame header is damaged"},
		"sampling of 5":                       {replaced(11, 0x15), defaults, bad, "frame header is damaged"},
		"more components than bytes":          {replaced(9, 4), defaults, bad, "frame header is damaged"},
		"short frame header":                  {jpegOf(jpegSegmentOf(0xC0, []byte{8, 0, 6})), defaults, bad, "frame header is damaged"},
		"segment of length 1":                 {[]byte("\xFF\xD8\xFF\xE0\x00\x01\xFF\xD9"), defaults, bad, "within a segment"},
		"segment beyond the end":              {[]byte("\xFF\xD8\xFF\xE0\xFF\xFF\xFF\xD9"), defaults, bad, "within a segment"},
		"second SOI":                          {jpegOf(sof(0xC0, 8, 8, 6), []byte{0xFF, 0xD8}, sos(10)), defaults, bad, "marker FFD8"},
		"reserved marker":                     {jpegOf([]byte{0xFF, 0xF7}, sof(0xC0, 8, 8, 6), sos(10)), defaults, bad, "marker FFF7"},
		"EOI only in a thumbnail":             {insertSegments(good[:sosOf(good)], jpegSegmentOf(0xE1, good)), defaults, bad, "end-of-image marker"},
		"EOI missing, and two of three scans": {lateTableJPEG()[:len(lateTableJPEG())-2-2*74], defaults, bad, "end-of-image marker"},
		"too many scans for its size":         {jpegOf(append(append([]byte{}, sof(0xC2, 8, 60_000, 4_000)...), bytes.Repeat(sos(5_000_000), 30)...)), defaults, bad, "takes too long"},
	}
}

func badPNGs() map[string]refusal {
	bad := edgelens.ErrBadImage
	defaults := DefaultConfig()
	good := asPNG(webpScene())
	flipped := bytes.Clone(good)
	flipped[len(flipped)-20] ^= 4 // in the last IDAT or its CRC
	idat, iend := pngChunkOf("IDAT", deflated(make([]byte, 150))), pngChunkOf("IEND", nil)
	header := ihdr(8, 6, 8, 2, 0)
	// As long as 30000x30000 blank pixels are when deflated; nothing inflates them here.
	blank := pngChunkOf("IDAT", make([]byte, 109_000))
	return map[string]refusal{
		"bomb: 30000x30000 of 1 bit":       {pngOf(ihdr(30000, 30000, 1, 0, 0), blank, iend), defaults, bad, "250000000 is the limit"},
		"bomb: most pixels, no data":       {pngOf(ihdr(30000, 30000, 16, 6, 0), blank, iend), wide, bad, "bytes of image data"},
		"bomb: the same, interlaced":       {pngOf(ihdr(30000, 30000, 16, 6, 1), blank, iend), wide, bad, "bytes of image data"},
		"bomb: largest dimensions":         {pngOf(ihdr(math.MaxUint32, math.MaxUint32, 16, 6, 0), idat, iend), wide, bad, "a side is the limit"},
		"unknown critical chunk":           {insertChunk(good, pngChunkOf("ABCD", []byte("x"))), defaults, edgelens.ErrUnsupportedFormat, "ABCD"},
		"flipped bit":                      {flipped, defaults, bad, "is damaged"},
		"no IHDR":                          {pngOf(idat, iend), defaults, bad, "IHDR chunk is misplaced"},
		"nothing but an end":               {pngOf(iend), defaults, bad, "IHDR chunk is misplaced"},
		"an end first":                     {pngOf(iend, header, idat, iend), defaults, bad, "IHDR chunk is misplaced"},
		"second IHDR":                      {insertChunk(good, header), defaults, bad, "IHDR chunk is misplaced"},
		"short IHDR":                       {pngOf(pngChunkOf("IHDR", make([]byte, 12)), idat, iend), defaults, bad, "12 bytes, not 13"},
		"no IDAT":                          {pngOf(header, iend), defaults, bad, "0 bytes of image data"},
		"no IEND, and half of IDAT":        {pngOf(header, idat[:len(idat)-8]), defaults, bad, "a part is missing"},
		"no width":                         {pngOf(ihdr(0, 6, 8, 2, 0), idat, iend), defaults, bad, "0x6 pixels"},
		"3 bits":                           {pngOf(ihdr(8, 6, 3, 0, 0), idat, iend), defaults, bad, "bit depth 3"},
		"palette of 16 bits":               {pngOf(ihdr(8, 6, 16, 3, 0), idat, iend), defaults, bad, "bit depth 16"},
		"255 bits":                         {pngOf(ihdr(8, 6, 255, 0, 0), idat, iend), defaults, bad, "bit depth 255"},
		"color type 1":                     {pngOf(ihdr(8, 6, 8, 1, 0), idat, iend), defaults, bad, "color type 1"},
		"color type 255":                   {pngOf(ihdr(8, 6, 8, 255, 0), idat, iend), defaults, bad, "color type 255"},
		"interlace 2":                      {pngOf(ihdr(8, 6, 8, 2, 2), idat, iend), defaults, bad, "interlace 2"},
		"chunk beyond the end":             {append(bytes.Clone(good[:33]), "\xFF\xFF\xFF\xFFIDAT\x00\x00\x00\x00"...), defaults, bad, "a part is missing"},
		"chunk of 2 GB minus a few":        {append(bytes.Clone(good[:33]), "\x7F\xFF\xFF\xF5IDAT\x00\x00\x00\x00"...), defaults, bad, "a part is missing"},
		"cut in half, with an IEND put on": {append(bytes.Clone(good[:len(good)-30]), iend...), defaults, bad, ""},
	}
}

func badWebPs() map[string]refusal {
	bad := edgelens.ErrBadImage
	defaults := DefaultConfig()
	changed := func(file []byte, at int, b byte) []byte {
		f := bytes.Clone(file)
		f[at] = b
		return f
	}
	lossy, lossless := bitstream(webpLossy), bitstream(webpLossless)
	huge := changed(changed(changed(webpLossless, 22, 0xFF), 23, 0xFF), 24, 0x0F)
	return map[string]refusal{
		"bomb: 16384x16384 lossless": {changed(huge, 21, 0xFF), defaults, bad, "250000000 is the limit"},
		"bomb: canvas of 2^24":       {riff(vp8x(0, 1<<24, 1<<24), lossy), wide, bad, "a side is the limit"},
		"animated, and no frame":     {riff(vp8x(2, 8, 6)), defaults, bad, "no image in it"},
		"animated, and a still":      {riff(vp8x(2, 8, 6), lossy), defaults, bad, "no frame"},
		"frame beyond the canvas":    {riff(vp8x(2, 8, 6), riffChunk("ANMF", anmf(2, 0, 8, 6, lossy))), defaults, bad, "beyond its canvas"},
		"frame of another size":      {riff(vp8x(2, 9, 9), riffChunk("ANMF", anmf(0, 0, 9, 9, lossy))), defaults, bad, "first frame is damaged"},
		"frame without an image":     {riff(vp8x(2, 8, 6), riffChunk("ANMF", anmf(0, 0, 8, 6, nil))), defaults, bad, "no image in it"},
		"frame without a canvas":     {riff(riffChunk("ANMF", anmf(0, 0, 8, 6, lossy))), defaults, bad, "no canvas"},
		"frame of ten bytes":         {riff(vp8x(2, 8, 6), riffChunk("ANMF", make([]byte, 10))), defaults, bad, "first frame is damaged"},
		"two images":                 {riff(vp8x(0, 8, 6), lossy, lossless), defaults, bad, "more than one"},
		"no image":                   {riff(vp8x(0, 8, 6), riffChunk("XMP ", nil)), defaults, bad, "no image in it"},
		"canvas disagrees":           {riff(vp8x(0, 8, 7), lossy), defaults, bad, "disagree"},
		"first chunk is metadata":    {riff(riffChunk("EXIF", exifBlock(binary.BigEndian, 1)), lossy), defaults, bad, "first chunk is not an image"},
		"VP8X after the image":       {riff(lossy, vp8x(0, 8, 6)), defaults, bad, "VP8X chunk is damaged"},
		"short VP8X":                 {riff(riffChunk("VP8X", make([]byte, 8)), lossy), defaults, bad, "VP8X chunk is damaged"},
		"not a key frame":            {changed(webpLossy, 20, webpLossy[20]|1), defaults, bad, "image data is damaged"},
		"version 7":                  {changed(webpLossy, 20, webpLossy[20]|14), defaults, bad, "image data is damaged"},
		"not shown":                  {changed(webpLossy, 20, webpLossy[20]&^16), defaults, bad, "image data is damaged"},
		"partition beyond the chunk": {changed(webpLossy, 22, 0xFF), defaults, bad, "image data is damaged"},
		"no start code":              {changed(webpLossy, 23, 0), defaults, bad, "image data is damaged"},
		"no lossless signature":      {changed(webpLossless, 20, 0), defaults, bad, "image data is damaged"},
		"lossless version 1":         {changed(webpLossless, 24, webpLossless[24]|0x20), defaults, bad, "image data is damaged"},
		"no width":                   {changed(webpLossy, 26, 0), defaults, bad, "0x6 pixels"},
		"empty bitstream":            {riff(riffChunk("VP8 ", nil)), defaults, bad, "image data is damaged"},
		"no chunks":                  {riff(), defaults, bad, "too small"},
		"size of 4 GB":               {append([]byte("RIFF\xFF\xFF\xFF\xFFWEBP"), lossy...), defaults, bad, "a part is missing"},
		"chunk beyond the end":       {changed(webpLossy, 19, 0xFF), defaults, bad, "beyond its end"},
		"stray bytes at the end":     {riff(lossy, []byte("stray")), defaults, bad, "cut off"},
	}
}

func badBMPs() map[string]refusal {
	bad, foreign := edgelens.ErrBadImage, edgelens.ErrUnsupportedFormat
	defaults := DefaultConfig()
	with := func(change func(*bmpFile)) []byte {
		f := bmpFile{size: 40, width: 8, height: 6, bits: 24, pixels: make([]byte, 24*6)}
		change(&f)
		return f.encode()
	}
	return map[string]refusal{
		"bomb: no pixels":               {with(func(f *bmpFile) { f.width, f.height, f.bits = 16000, 3000, 1; f.pixels = nil }), defaults, bad, "a part is missing"},
		"bomb: dimensions of 2^31":      {with(func(f *bmpFile) { f.width, f.height, f.bits = math.MaxInt32, math.MaxInt32, 32 }), wide, bad, "a side is the limit"},
		"smallest height":               {with(func(f *bmpFile) { f.height = math.MinInt32 }), wide, bad, "height is invalid"},
		"negative width":                {with(func(f *bmpFile) { f.width = -8 }), defaults, bad, "-8x6 pixels"},
		"no height":                     {with(func(f *bmpFile) { f.height = 0 }), defaults, bad, "8x0 pixels"},
		"one byte short":                {with(func(f *bmpFile) { f.pixels = f.pixels[1:] }), defaults, bad, "a part is missing"},
		"pixels at 4 GB":                {with(func(f *bmpFile) { f.offset = math.MaxUint32 }), defaults, bad, "send the whole file"},
		"pixels in the header":          {with(func(f *bmpFile) { f.offset = 20; f.pixels = make([]byte, 1000) }), defaults, bad, "byte 20"},
		"run-length coded, top down":    {with(func(f *bmpFile) { f.bits, f.compression, f.height = 8, 1, -6 }), defaults, bad, "does not go with"},
		"run-length coded with 24 bits": {with(func(f *bmpFile) { f.compression = 1 }), defaults, bad, "does not go with"},
		"4 bits coded as 8":             {with(func(f *bmpFile) { f.bits, f.compression = 4, 1 }), defaults, bad, "does not go with"},
		"a JPEG inside":                 {with(func(f *bmpFile) { f.compression = 4 }), defaults, foreign, "compressed BMP"},
		"a PNG inside":                  {with(func(f *bmpFile) { f.compression = 5 }), defaults, foreign, "compressed BMP"},
		"compression 77":                {with(func(f *bmpFile) { f.compression = 77 }), defaults, foreign, "compressed BMP"},
		"3 bits":                        {with(func(f *bmpFile) { f.bits = 3 }), defaults, bad, "3 bits a pixel"},
		"0 bits":                        {with(func(f *bmpFile) { f.bits = 0 }), defaults, bad, "0 bits a pixel"},
		"header of 65 bytes":            {with(func(f *bmpFile) { f.size = 65 }), defaults, foreign, "65 bytes"},
		"header of 13 bytes":            {with(func(f *bmpFile) { f.size = 13 }), defaults, foreign, "13 bytes"},
		"OS/2 with 32 bits":             {with(func(f *bmpFile) { f.size, f.bits = 12, 32 }), defaults, foreign, "OS/2"},
		"OS/2 with Huffman coding":      {with(func(f *bmpFile) { f.size, f.bits, f.compression = 64, 1, 3 }), defaults, foreign, "Huffman"},
		"masks with 24 bits":            {with(func(f *bmpFile) { f.compression = 3 }), defaults, bad, "does not go with"},
		"masks beyond the end":          {with(func(f *bmpFile) { f.bits, f.compression, f.pixels = 32, 3, nil }), defaults, bad, "a part is missing"},
		"masks that overlap":            {with(func(f *bmpFile) { f.bits, f.compression, f.masks = 32, 3, []uint32{0xFF, 0xFF, 0xFF0000} }), defaults, bad, "masks are invalid"},
		"a mask with a gap":             {with(func(f *bmpFile) { f.bits, f.compression, f.masks = 32, 3, []uint32{0xF0F, 0xF000, 0xFF0000} }), defaults, bad, "masks are invalid"},
		"no mask for green":             {with(func(f *bmpFile) { f.bits, f.compression, f.masks = 32, 3, []uint32{0xFF, 0, 0xFF0000} }), defaults, bad, "masks are invalid"},
		"a mask of 17 bits in 16":       {with(func(f *bmpFile) { f.bits, f.compression, f.masks = 16, 3, []uint32{0x1F000, 0x7E0, 0x1F} }), defaults, bad, "masks are invalid"},
	}
}

func TestInspectRejects(t *testing.T) {
	for format, refusals := range map[string]map[string]refusal{
		"jpeg": badJPEGs(), "png": badPNGs(), "webp": badWebPs(), "bmp": badBMPs(),
	} {
		for name, r := range refusals {
			t.Run(format+": "+name, func(t *testing.T) {
				checkRefusal(t, r.file, r.limits, r.sentinel, r.words)
			})
		}
	}
}

// sosOf returns where the scan header of a JPEG with one scan begins.
func sosOf(file []byte) int { return bytes.Index(file, []byte{0xFF, 0xDA}) }

// anmf is the content of a frame chunk of an animated WebP; x and y are even.
func anmf(x, y, width, height int, image []byte) []byte {
	b := make([]byte, 16)
	for i, v := range []int{x / 2, y / 2, width - 1, height - 1} {
		putUint24(b[3*i:], v)
	}
	return append(b, image...)
}
