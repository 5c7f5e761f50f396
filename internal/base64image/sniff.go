package base64image

import "bytes"

// HasSignature reports whether data begins like an image file, including formats that edgelens does not decode; it does
// not check whether the image can be used.
func HasSignature(data []byte) bool {
	for _, signature := range []string{"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF87a", "GIF89a", "II*\x00", "MM\x00*"} {
		if bytes.HasPrefix(data, []byte(signature)) {
			return true
		}
	}
	if len(data) < 12 {
		return false
	}
	switch {
	case string(data[:4]) == "RIFF":
		return string(data[8:12]) == "WEBP"
	case string(data[:2]) == "BM":
		return string(data[6:10]) == "\x00\x00\x00\x00" // reserved: text that begins with BM has others
	case string(data[4:8]) == "ftyp":
		return true // HEIC, AVIF
	}
	return false
}

// sniffed is how many base64 letters identify an image: 12 bytes.
const sniffed = 16

// Sniff reports whether a text that begins with head, of which some 512 bytes
// are enough, is the base64 of an image, or a data URI of one.
func Sniff(head []byte) bool {
	data, err := payload(trim(head))
	if err != nil {
		return false
	}
	letters := make([]byte, 0, sniffed)
	for _, b := range data {
		switch v := values[b]; {
		case v < 64:
			letters = append(letters, b)
		case v != space:
			return false
		}
		if len(letters) == sniffed {
			image, err := Decode(nil, letters, sniffed)
			return err == nil && HasSignature(image)
		}
	}
	return false
}
