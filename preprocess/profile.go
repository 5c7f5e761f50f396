package preprocess

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"io"
)

const (
	// xmpKeyword names the iTXt chunk of a PNG that holds an XMP packet.
	xmpKeyword = "XML:com.adobe.xmp"
	// maxText limits the inflated size of a compressed text.
	maxText = 512 << 10
)

// textOrientation reads the orientation from a text chunk of a PNG: XMP, or the
// Exif block that ImageMagick writes in hexadecimal digits under the keyword "Raw
// profile type exif" or "... APP1" (coders/png.c).
func (o *orientations) textOrientation(kind string, data []byte) {
	keyword, rest, found := bytes.Cut(data, []byte{0})
	if !found {
		return
	}
	isXMP := string(keyword) == xmpKeyword
	if !isXMP && !isRawProfile(string(keyword)) {
		return
	}
	o.texts = true
	text, ok := chunkText(kind, rest)
	switch {
	case !ok:
	case isXMP:
		o.readXMP(text)
	default:
		block := rawProfile(text)
		o.profile = first(o.profile, exifOrientation(block))
		if packet, isPacket := bytes.CutPrefix(block, []byte(xmpPrefix)); isPacket {
			o.readXMP(packet)
		}
	}
}

// first returns a, or b where a is 0.
func first(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func isRawProfile(keyword string) bool {
	switch keyword {
	case "Raw profile type exif", "Raw profile type EXIF", "Raw profile type APP1", "Raw profile type app1":
		return true
	}
	return false
}

// chunkText returns the text after the keyword of a tEXt, zTXt or iTXt chunk (PNG
// 11.3.3), inflated if it is compressed.
func chunkText(kind string, rest []byte) ([]byte, bool) {
	compressed := false
	switch kind {
	case "zTXt": // method, text
		if len(rest) < 1 || rest[0] != 0 {
			return nil, false
		}
		compressed, rest = true, rest[1:]
	case "iTXt": // flag, method, language, 0, translated keyword, 0, text
		if len(rest) < 2 || rest[0] > 1 || rest[1] != 0 {
			return nil, false
		}
		compressed, rest = rest[0] == 1, rest[2:]
		for range 2 {
			_, after, found := bytes.Cut(rest, []byte{0})
			if !found {
				return nil, false
			}
			rest = after
		}
	}
	if !compressed {
		return rest, len(rest) <= maxText
	}
	reader, err := zlib.NewReader(bytes.NewReader(rest))
	if err != nil {
		return nil, false
	}
	defer reader.Close()
	text, err := io.ReadAll(io.LimitReader(reader, maxText))
	return text, err == nil && len(text) < maxText
}

// rawProfile reads "\nname\n  length\n" and hexadecimal digits in lines.
func rawProfile(text []byte) []byte {
	fields := bytes.Fields(text)
	if len(fields) < 3 {
		return nil
	}
	digits := bytes.Join(fields[2:], nil)
	block := make([]byte, hex.DecodedLen(len(digits)))
	n, err := hex.Decode(block, digits)
	if err != nil {
		return nil
	}
	return block[:n]
}
