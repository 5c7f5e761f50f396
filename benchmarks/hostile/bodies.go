package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	boundary      = "edge-of-a-part"
	multipartForm = "multipart/form-data; boundary=" + boundary
	urlencoded    = "application/x-www-form-urlencoded"
	jsonType      = "application/json"
	// maxJSON is what a service must accept of base64 for an image of maxBytes, and some.
	maxJSON = 28_000_000
)

// bodyGroups wrap images, or what is none, as clients do.
func bodyGroups() []group {
	return []group{
		{contentType: jsonType, kinds: jsonKinds()},
		{contentType: jsonType, contentEncoding: "gzip", kinds: []kind{
			{"json-gzip", "20 GB of JSON, compressed", Any, true, func(r *rand.Rand) []byte { return gzipped(`{"image":"`, almost(r)) }},
		}},
		{contentType: "image/jpeg", contentEncoding: "gzip", kinds: []kind{
			{"jpeg-gzip", "20 GB of zeros, compressed, as a JPEG", Any, true, func(r *rand.Rand) []byte { return gzipped("\xff\xd8\xff", almost(r)) }},
		}},
		{contentType: multipartForm, kinds: formKinds()},
		{contentType: "multipart/form-data; boundary=" + strings.Repeat("b", 70), kinds: []kind{
			{"form-boundaries", "a form that is nothing but its boundary", Any, true, func(r *rand.Rand) []byte {
				line := "--" + strings.Repeat("b", 70) + "\r\n"
				return bytes.Repeat([]byte(line), almost(r)/len(line))
			}},
		}},
		{contentType: urlencoded, kinds: urlencodedKinds()},
		{contentType: "text/plain", kinds: textKinds()},
		{contentType: "image/jpeg", chunk: 1, kinds: []kind{
			{"chunked-bytes", "an image in chunks of one byte", Accepted, false, smallJPEG},
			{"chunked-bytes-noise", "half a megabyte of noise in chunks of one byte", Refused, false, func(r *rand.Rand) []byte { return noise(r, 500_000) }},
		}},
		{contentType: "image/jpeg", chunk: 1000, kinds: []kind{
			{"chunked-endless", "40 MB whose length is not announced", Refused, false, func(*rand.Rand) []byte { return make([]byte, 40_000_000) }},
		}},
	}
}

func jsonKinds() []kind {
	member := func(part string, n int) func(*rand.Rand) []byte {
		return func(*rand.Rand) []byte {
			return []byte(`{"image":"` + strings.Repeat(part, n/len(part)) + `"}`)
		}
	}
	small := func(r *rand.Rand) string { return base64.StdEncoding.EncodeToString(smallJPEG(r)) }
	return []kind{
		{"json-invalid-utf8", "28 MB that are not UTF-8", Any, true, member("\xff", maxJSON)},
		{"json-invalid-utf8-long", "28 MB of sequences of UTF-8 that are cut", Any, true, member("\xf0\x90\x80", maxJSON)},
		{"json-blanks", "28 MB of white space as base64", Any, true, member(`\n`, maxJSON)},
		{"json-escapes", "28 MB of escapes", Any, true, member(`\u0041`, maxJSON)},
		{"json-surrogates", "28 MB of halves of surrogates", Any, true, member(`\ud800`, maxJSON)},
		{"json-base64-zeros", "20 MB of zeros", Any, false, member("AAAA", maxJSON-1000)},
		{"json-escaped-image", "an image, each character of its base64 escaped", Accepted, false, func(r *rand.Rand) []byte {
			var out strings.Builder
			out.WriteString(`{"image":"`)
			for _, c := range small(r) {
				fmt.Fprintf(&out, `\u%04x`, c)
			}
			return []byte(out.String() + `"}`)
		}},
		{"json-deep", "arrays in arrays, 20 million", Any, true, func(r *rand.Rand) []byte { return bytes.Repeat([]byte("["), almost(r)) }},
		{"json-deep-objects", "objects in objects, four million", Any, true, func(r *rand.Rand) []byte { return bytes.Repeat([]byte(`{"a":`), almost(r)/5) }},
		{"json-deep-member", "an image behind a member of a million levels", Any, true, func(r *rand.Rand) []byte {
			return []byte(`{"x":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + `,"image":"` + small(r) + `"}`)
		}},
		{"json-members", "1.5 million members", Any, true, func(r *rand.Rand) []byte {
			var out strings.Builder
			out.WriteByte('{')
			for i := 0; out.Len() < almost(r); i++ {
				fmt.Fprintf(&out, `"m%d":0,`, i)
			}
			return []byte(out.String() + `"image":""}`)
		}},
		{"json-same-member", "the image 500 times", Any, true, func(r *rand.Rand) []byte {
			one := `"image":"` + small(r) + `"`
			return []byte("{" + strings.Repeat(one+",", min(500, almost(r)/len(one))) + one + "}")
		}},
		{"json-name", "a member with a name of 20 MB", Any, true, func(r *rand.Rand) []byte {
			return []byte(`{"` + strings.Repeat("n", almost(r)) + `":1}`)
		}},
		{"json-number", "a number of 20 million digits", Any, true, func(r *rand.Rand) []byte {
			return []byte(`{"image":"","top_k":` + strings.Repeat("9", almost(r)) + `}`)
		}},
		{"json-exponent", "a number with a huge exponent", Any, false, func(r *rand.Rand) []byte {
			return []byte(`{"image":"` + small(r) + `","min_score":1e999999999}`)
		}},
		{"json-bytes", "seven million numbers for the bytes of an image", Any, true, func(r *rand.Rand) []byte {
			return []byte(`{"image":{"type":"Buffer","data":[` + strings.Repeat("12,", almost(r)/3-20) + `0]}}`)
		}},
		{"json-blanks-outside", "20 MB of white space in front", Any, true, func(r *rand.Rand) []byte {
			image := small(r)
			return []byte(strings.Repeat(" ", almost(r)-len(image)) + `{"image":"` + image + `"}`)
		}},
		{"json-open", "a text that does not end", Refused, true, func(*rand.Rand) []byte { return []byte(`{"image":"` + strings.Repeat("A", maxJSON-100)) }},
		{"json-data-uri", "a data URI with 20 MB of parameters", Any, true, func(r *rand.Rand) []byte {
			return []byte(`{"image":"data:image/jpeg` + strings.Repeat(";a=b", almost(r)/4) + `;base64,"}`)
		}},
		{"json-address", "an address in place of the image", Refused, false, func(*rand.Rand) []byte { return []byte(`{"image":"http://127.0.0.1:1/"}`) }},
		{"json-null", "null in place of the image", Refused, false, func(*rand.Rand) []byte { return []byte(`{"image":null}`) }},
		{"json-half-uri", "half a data URI", Refused, false, func(*rand.Rand) []byte { return []byte(`{"image":"data:"}`) }},
	}
}

// gzipped is the first part and then zeros, compressed to that many bytes.
func gzipped(first string, most int) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // a valid level; writing to memory does not fail
	_, _ = w.Write([]byte(first))
	block := make([]byte, pieceBytes)
	_, _ = w.Write(block)
	_ = w.Flush()
	begin := out.Len()
	_, _ = w.Write(block)
	_ = w.Flush()
	return join(out.Bytes(), bytes.Repeat(out.Bytes()[begin:], (most-out.Len())/(out.Len()-begin)))
}

// part is a part of a form.
func part(disposition, headers string, body []byte) []byte {
	return join([]byte("--"+boundary+"\r\nContent-Disposition: form-data; "+disposition+"\r\n"+headers+"\r\n"), body, []byte("\r\n"))
}

var formEnd = []byte("--" + boundary + "--\r\n")

const fileField = `name="file"; filename="a.jpg"`

func formKinds() []kind {
	file := func(headers string, body func(r *rand.Rand) []byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte { return join(part(fileField, headers, body(r)), formEnd) }
	}
	return []kind{
		{"form-parts", "200,000 fields", Any, true, func(r *rand.Rand) []byte {
			one := part(`name="a"`, "", nil)
			return join(bytes.Repeat(one, almost(r)/len(one)-10), formEnd)
		}},
		{"form-files", "160,000 files", Any, true, func(r *rand.Rand) []byte {
			one := part(fileField, "", []byte("x"))
			return join(bytes.Repeat(one, almost(r)/len(one)-10), formEnd)
		}},
		{"form-header", "a header field of 20 MB", Any, true, func(r *rand.Rand) []byte {
			return file("X: "+strings.Repeat("h", almost(r)-60_000)+"\r\n", smallJPEG)(r)
		}},
		{"form-headers", "four million header fields of a part", Any, true, func(r *rand.Rand) []byte { return file(strings.Repeat("X:\r\n", almost(r)/4-15_000), smallJPEG)(r) }},
		{"form-file-name", "a file name of a megabyte", Any, false, func(r *rand.Rand) []byte {
			return join(part(`name="file"; filename="`+strings.Repeat("../", 350_000)+`"`, "", smallJPEG(r)), formEnd)
		}},
		{"form-disposition", "300,000 parameters of a disposition", Any, true, func(r *rand.Rand) []byte {
			var out strings.Builder
			for i := range 300_000 {
				fmt.Fprintf(&out, "; p%d=1", i)
			}
			return join(part(fileField+out.String(), "", smallJPEG(r)), formEnd)
		}},
		{"form-continued", "a parameter in 100,000 pieces (RFC 2231)", Any, true, func(r *rand.Rand) []byte {
			var out strings.Builder
			for i := range 100_000 {
				fmt.Fprintf(&out, "; filename*%d=a", i)
			}
			return join(part(`name="file"`+out.String(), "", smallJPEG(r)), formEnd)
		}},
		{"form-base64", "a file of base64 with a line break behind each character", Any, true, file("Content-Transfer-Encoding: base64\r\n", func(r *rand.Rand) []byte {
			return bytes.Repeat([]byte("A\r\n"), (almost(r)-1000)/3)
		})},
		{"form-quoted", "a file of quoted printable", Any, true, file("Content-Transfer-Encoding: quoted-printable\r\n", func(r *rand.Rand) []byte {
			return bytes.Repeat([]byte("=FF"), (almost(r)-1000)/3)
		})},
		{"form-quoted-breaks", "a file of quoted printable that is nothing but line breaks", Any, true, file("Content-Transfer-Encoding: quoted-printable\r\n", func(r *rand.Rand) []byte {
			return bytes.Repeat([]byte("=\r\n"), (almost(r)-1000)/3)
		})},
		{"form-dashes", "a file that nearly has the boundary, again and again", Any, true, file("", func(r *rand.Rand) []byte {
			return bytes.Repeat([]byte("\r\n--"+boundary[:len(boundary)-1]), (almost(r)-1000)/(len(boundary)+3))
		})},
		{"form-open", "a form that does not end", Any, false, func(r *rand.Rand) []byte { return part(fileField, "", smallJPEG(r)) }},
		{"form-nested", "forms in forms, a thousand", Any, false, func(*rand.Rand) []byte {
			return []byte(strings.Repeat("--"+boundary+"\r\nContent-Type: "+multipartForm+"\r\n\r\n", 1000))
		}},
		{"form-empty", "a form without parts", Refused, false, func(*rand.Rand) []byte { return formEnd }},
		{"form-preamble", "20 MB in front of the first part", Any, true, func(r *rand.Rand) []byte {
			return join(bytes.Repeat([]byte("-\r\n"), (almost(r)-60_000)/3), part(fileField, "", smallJPEG(r)), formEnd)
		}},
	}
}

func urlencodedKinds() []kind {
	return []kind{
		{"fields-empty", "ten million fields", Any, true, func(r *rand.Rand) []byte { return bytes.Repeat([]byte("a&"), almost(r)/2) }},
		{"fields-distinct", "two million different fields", Any, true, func(r *rand.Rand) []byte {
			var out bytes.Buffer
			for i := 0; out.Len() < almost(r); i++ {
				fmt.Fprintf(&out, "m%d=&", i)
			}
			return out.Bytes()
		}},
		{"fields-escapes", "seven million escapes", Any, true, func(r *rand.Rand) []byte {
			return append([]byte("image="), bytes.Repeat([]byte("%41"), almost(r)/3)...)
		}},
		{"fields-broken", "escapes that are none", Any, false, func(r *rand.Rand) []byte {
			return append([]byte("image="), bytes.Repeat([]byte("%zz"), almost(r)/3)...)
		}},
	}
}

func textKinds() []kind {
	return []kind{
		{"text-base64-blanks", "28 MB of base64 with blanks", Any, true, func(*rand.Rand) []byte { return bytes.Repeat([]byte("A \t\r\n"), maxJSON/5) }},
		{"text-base64-jpeg", "28 MB of base64 that begins like a JPEG", Any, true, func(*rand.Rand) []byte {
			return append([]byte("/9j/"), bytes.Repeat([]byte("//8A"), maxJSON/4-10)...)
		}},
		{"text-data-uris", "data URIs in data URIs", Any, false, func(r *rand.Rand) []byte { return bytes.Repeat([]byte("data:;base64,"), almost(r)/13) }},
		{"text-padding", "28 MB of padding", Any, true, func(*rand.Rand) []byte { return append([]byte("/9j/"), bytes.Repeat([]byte("="), maxJSON-10)...) }},
	}
}
