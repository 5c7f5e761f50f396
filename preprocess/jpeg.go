package preprocess

import (
	"bytes"
	"encoding/binary"

	"edgelens"
)

// JPEG markers (ITU-T T.81, table B.1: https://www.w3.org/Graphics/JPEG/itu-t81.pdf).
const (
	jpegTEM   = 0x01
	jpegSOF0  = 0xC0 // baseline
	jpegSOF1  = 0xC1 // extended sequential
	jpegSOF2  = 0xC2 // progressive
	jpegDHT   = 0xC4
	jpegDAC   = 0xCC
	jpegSOF15 = 0xCF
	jpegRST0  = 0xD0
	jpegRST7  = 0xD7
	jpegSOI   = 0xD8
	jpegEOI   = 0xD9
	jpegSOS   = 0xDA
	jpegDQT   = 0xDB
	jpegDNL   = 0xDC
	jpegDRI   = 0xDD
	jpegAPP0  = 0xE0
	jpegAPP1  = 0xE1
	jpegAPP15 = 0xEF
	jpegCOM   = 0xFE
)

// jpegFrame holds the relevant fields of a frame header (T.81 B.2.2).
type jpegFrame struct {
	width, height int64
	progressive   bool
	components    int
	ids           [4]byte
	// blocks is how many blocks of 8x8 samples the components have together, and
	// ofComponent how many each has.
	blocks      int64
	ofComponent [4]int64
	// kept is how many blocks libjpeg allocates where it keeps all coefficients: whole
	// MCUs.
	kept int64
	// minBits is the minimum number of bits of entropy-coded data that the frame
	// takes.
	minBits int64
}

// maxBlockVisits limits the work of a JPEG with several scans. The ten scans that encoders
// write visit 14 million blocks of a progressive JPEG of 64 megapixels with colors in full
// (docs/adr/0036-memory-budget.md).
const maxBlockVisits = 16_000_000

// jpegScans is the content of a JPEG's scans so far.
type jpegScans struct {
	count int
	// visits is how many blocks the scans have together: what libjpeg does for a scan,
	// it does for each block of its components, however few bytes the scan has.
	visits int64
	// coded is how many bytes after the first scan header are in no segment.
	coded int64
	// missing is, for each coefficient of each component, how many of its low bits
	// no scan has contained, plus one; 0 if no scan has contained any.
	missing [4][64]uint8
}

// checkJPEG walks every marker of a JPEG up to EOI, the entropy-coded data
// included, finding them as libjpeg does: bytes that belong to no segment are
// skipped until the next marker. If the file, or an image that another
// follows, ends without EOI after scans that are complete, it is passed with
// header.unterminated.
func checkJPEG(b []byte, limits Config) (header, error) {
	for bytes.HasPrefix(b[2:], b[:2]) { // a start marker twice
		b = b[2:]
	}
	h := header{format: "jpeg", orientation: 1, data: b}
	var frame jpegFrame
	var scans jpegScans
	var found orientations
	for pos := 2; ; { // after SOI
		marker, at := nextJPEGMarker(b, pos)
		switch {
		case at < 0:
			h.data, h.unterminated, at = bytes.TrimRight(b, "\x00"), true, len(b)
		case marker == jpegSOI && scans.count > 0:
			h.data, h.unterminated = bytes.TrimRight(b[:at], "\x00"), true
		}
		if scans.count > 0 {
			scans.coded += int64(at - pos)
		}
		if h.unterminated || marker == jpegEOI {
			if h.unterminated && !scans.whole(frame) {
				return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it ends before its end-of-image marker, so a part is missing; send the whole file")
			}
			h.orientation, h.fixed = found.upright(), found.memory()
			return h.finishJPEG(frame, scans)
		}
		pos = at + 2
		switch {
		case marker == jpegTEM, marker >= jpegRST0 && marker <= jpegRST7:
			continue // these stand alone
		case !knownJPEGSegment(marker):
			return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it is damaged (marker FF%02X at byte %d); save the image again and send that", marker, at)
		}
		segment, ok := jpegSegment(b, pos)
		if !ok {
			return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it ends within a segment, so a part is missing; send the whole file")
		}
		pos += 2 + len(segment)
		switch {
		case marker == jpegSOS:
			if frame.width == 0 {
				return header{}, refuse(edgelens.ErrBadImage, "jpeg", "its image data comes before its dimensions; save the image again and send that")
			}
			if scans.add(frame, segment); scans.count > limits.MaxScans {
				return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it has more than %d scans, the limit; save it as a baseline JPEG and send that", limits.MaxScans)
			}
			if scans.count > 1 && scans.visits > maxBlockVisits {
				return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it has so many scans of %dx%d pixels that it takes too long; save it as a baseline JPEG and send that", frame.width, frame.height)
			}
		case isJPEGFrame(marker):
			if frame.width != 0 {
				return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it has two frame headers; save the image again and send that")
			}
			var err error
			if frame, err = readJPEGFrame(marker, segment, limits); err != nil {
				return header{}, err
			}
		case marker == jpegAPP1:
			if packet, isXMP := bytes.CutPrefix(segment, []byte(xmpPrefix)); isXMP {
				found.readXMP(packet)
			} else if bytes.HasPrefix(segment, []byte(exifPrefix)) {
				found.exif = first(found.exif, exifOrientation(segment))
			}
		}
	}
}

// finishJPEG checks the image as a whole at its end.
func (h header) finishJPEG(frame jpegFrame, scans jpegScans) (header, error) {
	if scans.count == 0 {
		return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it has no image data; save the image again and send that")
	}
	if scans.coded*8 < frame.minBits {
		return header{}, refuse(edgelens.ErrBadImage, "jpeg", "it has %d bytes of image data, which cannot be an image of %dx%d pixels; save the image again and send that", scans.coded, frame.width, frame.height)
	}
	h.width, h.height, h.components = int(frame.width), int(frame.height), frame.components
	h.channels = 3
	if frame.components == 4 {
		h.channels = 4
	}
	if frame.progressive || scans.count > 1 { // libjpeg keeps every coefficient, two bytes each
		h.fixed += 64 * 2 * frame.kept
	}
	return h, nil
}

// add records a scan header: the number of components, for each its id
// and tables, and which coefficients with which bits it contains (T.81 B.2.3).
// Invalid headers are left to libjpeg.
func (s *jpegScans) add(frame jpegFrame, segment []byte) {
	s.count++
	if len(segment) < 1 || len(segment) != 4+2*int(segment[0]) {
		s.visits += frame.blocks
		return
	}
	tail := segment[len(segment)-3:]
	from, to, low := tail[0], tail[1], tail[2]&15
	if !frame.progressive {
		from, to, low = 0, 63, 0
	}
	for i := 1; i < len(segment)-3; i += 2 {
		for component, id := range frame.ids[:frame.components] {
			if id != segment[i] {
				continue
			}
			s.visits += frame.ofComponent[component]
			for k := from; k <= min(to, 63); k++ {
				s.missing[component][k] = low + 1
			}
		}
	}
}

// whole reports whether the scans contain every bit of every coefficient.
func (s *jpegScans) whole(frame jpegFrame) bool {
	for _, component := range s.missing[:frame.components] {
		for _, missing := range component {
			if missing != 1 {
				return false
			}
		}
	}
	return s.count > 0
}

// nextJPEGMarker returns the first marker at or after pos and where its 0xFF
// is, or -1. 0xFF00 is a stuffed byte of data and 0xFFFF is fill (T.81 B.1.1).
func nextJPEGMarker(b []byte, pos int) (marker byte, at int) {
	for pos < len(b) {
		i := bytes.IndexByte(b[pos:], 0xFF)
		if i < 0 {
			break
		}
		at = pos + i
		if at+1 >= len(b) {
			break
		}
		switch b[at+1] {
		case 0xFF:
			for pos = at + 1; pos+1 < len(b) && b[pos+1] == 0xFF; pos++ {
			}
		case 0x00:
			pos = at + 2
		default:
			return b[at+1], at
		}
	}
	return 0, -1
}

// jpegSegment returns the payload of the segment whose length field is at pos.
func jpegSegment(b []byte, pos int) ([]byte, bool) {
	if len(b)-pos < 2 {
		return nil, false
	}
	length := int(binary.BigEndian.Uint16(b[pos:]))
	if length < 2 || len(b)-pos < length {
		return nil, false
	}
	return b[pos+2 : pos+length], true
}

// isJPEGFrame distinguishes SOF0 to SOF15 from the three other markers in that range.
func isJPEGFrame(marker byte) bool {
	return marker >= jpegSOF0 && marker <= jpegSOF15 && marker != jpegDHT && marker != jpegDAC
}

// knownJPEGSegment is true for markers that start a segment. SOI is not among
// them: a second one is an error. A reserved marker ends libjpeg too.
func knownJPEGSegment(marker byte) bool {
	switch marker {
	case jpegDHT, jpegDAC, jpegSOS, jpegDQT, jpegDNL, jpegDRI, jpegCOM:
		return true
	}
	return isJPEGFrame(marker) || marker >= jpegAPP0 && marker <= jpegAPP15
}

// readJPEGFrame reads a frame header without its length field: precision,
// height, width, number of components and three bytes for each of them.
func readJPEGFrame(marker byte, segment []byte, limits Config) (jpegFrame, error) {
	if marker > jpegSOF2 {
		return jpegFrame{}, refuse(edgelens.ErrUnsupportedFormat, "jpeg", "its coding (SOF%d: lossless, hierarchical or arithmetic) is rare and not supported; save it as a baseline JPEG and send that", marker-jpegSOF0)
	}
	if len(segment) < 6 || len(segment) != 6+3*int(segment[5]) {
		return jpegFrame{}, refuse(edgelens.ErrBadImage, "jpeg", "its frame header is damaged; save the image again and send that")
	}
	if segment[0] != 8 {
		return jpegFrame{}, refuse(edgelens.ErrUnsupportedFormat, "jpeg", "it has %d bits a sample and only 8 are supported; save it as a baseline JPEG and send that", segment[0])
	}
	f := jpegFrame{
		height:      int64(binary.BigEndian.Uint16(segment[1:])),
		width:       int64(binary.BigEndian.Uint16(segment[3:])),
		components:  int(segment[5]),
		progressive: marker == jpegSOF2,
	}
	if err := limits.allow("jpeg", f.width, f.height); err != nil {
		return jpegFrame{}, err
	}
	if n := segment[5]; n != 1 && n != 3 && n != 4 {
		return jpegFrame{}, refuse(edgelens.ErrUnsupportedFormat, "jpeg", "it has %d color components and only 1, 3 and 4 are supported; save it in RGB and send that", n)
	}
	for i := range f.components {
		f.ids[i] = segment[6+3*i]
	}
	if !f.countBlocks(segment[6:]) {
		return jpegFrame{}, refuse(edgelens.ErrBadImage, "jpeg", "its frame header is damaged; save the image again and send that")
	}
	// A Huffman code has at least one bit. A sequential block has a DC and an
	// AC code; a progressive one may have nothing but its first DC code, as
	// runs of blocks can share the rest (T.81 F.1.2, G.1.2).
	f.minBits = 2 * f.blocks
	if f.progressive {
		f.minBits = f.blocks
	}
	return f, nil
}

// countBlocks counts the blocks of the components. Each is id, sampling factors
// (horizontal in the high four bits, each 1 to 4) and quantization table (T.81 A.1.1);
// false if a factor is none.
func (f *jpegFrame) countBlocks(components []byte) bool {
	var hmax, vmax int64
	for i := 1; i < len(components); i += 3 {
		h, v := int64(components[i]>>4), int64(components[i]&15)
		if h < 1 || h > 4 || v < 1 || v > 4 {
			return false
		}
		hmax, vmax = max(hmax, h), max(vmax, v)
	}
	for i := range f.components {
		h, v := int64(components[3*i+1]>>4), int64(components[3*i+1]&15)
		across, down := ceilDiv(ceilDiv(f.width*h, hmax), 8), ceilDiv(ceilDiv(f.height*v, vmax), 8)
		f.ofComponent[i] = across * down
		f.blocks += across * down
		f.kept += ceilDiv(across, h) * h * ceilDiv(down, v) * v
	}
	return true
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
