package hostile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// otherKinds are formats that a service may not read: it must not pass them to a decoder that does.
func otherKinds() []kind {
	var kinds []kind
	for _, f := range []struct{ name, magic string }{
		{"exr", "\x76\x2f\x31\x01\x02\x00\x00\x00"}, {"hdr", "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n"}, {"pgm", "P5\n30000 30000\n255\n"},
		{"ppm", "P6 1 1 255\n\x00\x00\x00"}, {"pam", "P7\nWIDTH 30000\nHEIGHT 30000\nDEPTH 3\nMAXVAL 255\nENDHDR\n"}, {"pfm", "PF\n9 9\n-1.0\n"},
		{"ras", "\x59\xa6\x6a\x95\x00\x00\x75\x30\x00\x00\x75\x30\x00\x00\x00\x18"}, {"nitf", "NITF02.10" + strings.Repeat("0", 400)},
		{"dicom", strings.Repeat("\x00", 128) + "DICM"}, {"jp2", "\x00\x00\x00\x0cjP  \r\n\x87\n"}, {"j2k", "\xff\x4f\xff\x51"},
		{"avif", "\x00\x00\x00\x1cftypavif"}, {"heic", "\x00\x00\x00\x1cftypheic"}, {"jxl", "\xff\x0a"}, {"ico", "\x00\x00\x01\x00\x01\x00"}, {"psd", "8BPS\x00\x01"},
		{"svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"},
		{"svg-entity", "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><svg>&e;</svg>"},
		{"pdf", "%PDF-1.7\n"}, {"mp4", "\x00\x00\x00\x18ftypmp42"}, {"zip", "PK\x03\x04"}, {"gzip", "\x1f\x8b\x08\x00"}, {"elf", "\x7fELF"}, {"html", "<html><body>no</body></html>"},
		{"mvg", "push graphic-context\nviewbox 0 0 640 480\nfill 'url(http://127.0.0.1/)'\npop graphic-context"},
		{"tflite", "\x1c\x00\x00\x00TFL3"}, {"text", "no image"},
	} {
		kinds = append(kinds, kind{"other-" + f.name, "another format, or its first bytes", Refused, false, func(r *rand.Rand) []byte {
			return append([]byte(f.magic), make([]byte, 60+r.IntN(300))...)
		}})
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"empty", nil}, {"one-byte", []byte{0xff}}, {"zeros", make([]byte, 4096)}, {"ones", bytes.Repeat([]byte{0xff}, 4096)},
		{"png-signature", []byte(pngSignature)}, {"riff", []byte("RIFF")}, {"bm", []byte("BM")},
	} {
		kinds = append(kinds, kind{"other-" + f.name, fmt.Sprintf("no image, %d bytes", len(f.data)), Refused, false, func(*rand.Rand) []byte { return f.data }})
	}
	return append(kinds, kind{"other-zeros-20mb", "20 MB of zeros", Refused, false, func(r *rand.Rand) []byte { return make([]byte, almost(r)) }},
		kind{"other-blanks-20mb", "20 MB of white space", Refused, true, func(r *rand.Rand) []byte { return bytes.Repeat([]byte(" \r\n\t"), almost(r)/4) }})
}

// damagedKinds are n files of each format, each with a few bits flipped, bytes removed, or parts repeated.
func damagedKinds(n int) []kind {
	var kinds []kind
	for _, f := range []struct {
		name string
		make func(r *rand.Rand) []byte
	}{
		{"jpeg", smallJPEG},
		{"png", func(r *rand.Rand) []byte { return plainPNG(r, 160, 120, 8, pngRGB) }},
		{"webp", func(r *rand.Rand) []byte { return literalWebP(r, 160, 120) }},
		{"bmp", func(r *rand.Rand) []byte { return plainBMP(r, 160, 120) }},
		{"progressive", func(r *rand.Rand) []byte {
			return progressive{width: 160 + r.IntN(99), height: 120, components: 3, scans: 9, low: byte(r.IntN(2))}.jpeg()
		}},
		{"gif", func(r *rand.Rand) []byte { return gifOf(r, 2) }},
		{"tiff", func(r *rand.Rand) []byte {
			return tiff{width: 64, height: 64, compression: tiffLZW, rows: 8, data: literalLZW(noise(r, 64*8))}.file()
		}},
		{"lossy", func(*rand.Rand) []byte { return webpFile(webpChunk("VP8 ", lossyPart(160, 120))) }},
	} {
		for i := range n {
			kinds = append(kinds, kind{fmt.Sprintf("damaged-%s-%03d", f.name, i), "a damaged " + f.name, Any, false, func(r *rand.Rand) []byte { return damage(r, f.make(r)) }})
		}
	}
	return kinds
}

// damage changes a file at a few places: near its beginning at half of them, where the headers are.
func damage(r *rand.Rand, data []byte) []byte {
	data = bytes.Clone(data)
	place := func() int {
		if r.IntN(2) == 0 {
			return 2 + r.IntN(min(len(data)-2, 200))
		}
		return 2 + r.IntN(len(data)-2)
	}
	for range 1 + r.IntN(8) {
		at := place()
		switch r.IntN(6) {
		case 0: // bytes are missing
			data = append(data[:at:at], data[min(len(data), at+1+r.IntN(20)):]...)
		case 1: // bytes come twice
			end := min(len(data), at+1+r.IntN(40))
			data = append(data[:end:end], data[at:]...)
		case 2: // an extreme value
			data[at] = []byte{0, 0x7f, 0x80, 0xff}[r.IntN(4)]
		default:
			data[at] ^= 1 << r.IntN(8)
		}
		if len(data) < 10 {
			return data
		}
	}
	return data
}
