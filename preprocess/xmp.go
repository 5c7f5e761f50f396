package preprocess

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
)

const (
	// xmpPrefix precedes a JPEG's XMP packet in an APP1 segment (XMP
	// specification, part 3, 1.1.3).
	xmpPrefix = "http://ns.adobe.com/xap/1.0/\x00"
	// xmpTIFF is the namespace of TIFF properties in XMP (part 2, 8.6).
	xmpTIFF = "http://ns.adobe.com/tiff/1.0/"

	maxXMP       = 256 << 10
	maxXMPTokens = 20_000
)

// xmpOrientation returns the orientation, 1 to 8, that an XMP packet has as an
// attribute or as an element, or 0 if there is none or it is invalid.
func xmpOrientation(packet []byte) int {
	if len(packet) > maxXMP || !bytes.Contains(packet, []byte("Orientation")) {
		return 0
	}
	decoder := xml.NewDecoder(bytes.NewReader(packet))
	isOrientation := func(name xml.Name) bool { return name.Space == xmpTIFF && name.Local == "Orientation" }
	inside := false
	for range maxXMPTokens {
		token, err := decoder.Token()
		if err != nil {
			return 0
		}
		switch t := token.(type) {
		case xml.StartElement:
			for _, attribute := range t.Attr {
				if isOrientation(attribute.Name) {
					return orientationText(attribute.Value)
				}
			}
			inside = isOrientation(t.Name)
		case xml.CharData:
			if inside {
				return orientationText(string(t))
			}
		case xml.EndElement:
			inside = false
		}
	}
	return 0
}

func orientationText(text string) int {
	value, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || value < 1 || value > 8 {
		return 0
	}
	return value
}
