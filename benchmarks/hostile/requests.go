package hostile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	requestLine = "POST /api/recognize HTTP/1.1\r\n"
	hostLine    = "Host: 127.0.0.1\r\n"
)

// requestGroups are requests that are hostile themselves.
func requestGroups() []group {
	get := func(headers string) []byte { return []byte("GET /healthz HTTP/1.1\r\n" + hostLine + headers + "\r\n") }
	post := func(headers string, body []byte) []byte {
		return join([]byte(requestLine+hostLine+headers+"\r\n"), body)
	}
	return []group{{request: true, kinds: []kind{
		{"request-header", "a header field of 8 MB", Any, true, func(*rand.Rand) []byte { return get("X: " + strings.Repeat("h", 8<<20) + "\r\n") }},
		{"request-headers", "half a million header fields", Any, true, func(*rand.Rand) []byte { return get(strings.Repeat("X: 1\r\n", 500_000)) }},
		{"request-cookies", "a thousand cookies", Any, false, func(*rand.Rand) []byte { return get(strings.Repeat("Cookie: a=b; c=d\r\n", 1000)) }},
		{"request-path", "a path of 4 MB", Any, true, func(*rand.Rand) []byte {
			return []byte("GET /" + strings.Repeat("%2e%2e/", 600_000) + " HTTP/1.1\r\n" + hostLine + "\r\n")
		}},
		{"request-query", "a query of 500,000 options", Any, true, func(*rand.Rand) []byte {
			return []byte("GET /api/jobs?" + strings.Repeat("a=1&", 200_000) + " HTTP/1.1\r\n" + hostLine + "\r\n")
		}},
		{"request-both-lengths", "a length and chunks", Any, false, func(r *rand.Rand) []byte {
			return post(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", 4+r.IntN(9)), []byte("0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
		}},
		{"request-two-lengths", "two lengths", Any, false, func(*rand.Rand) []byte {
			return post("Content-Length: 5\r\nContent-Length: 6\r\n", []byte("hello!"))
		}},
		{"request-negative-length", "a negative length", Any, false, func(*rand.Rand) []byte { return post("Content-Length: -1\r\n", []byte("x")) }},
		{"request-huge-length", "a length beyond 64 bits", Any, false, func(*rand.Rand) []byte {
			return post("Content-Length: 99999999999999999999999\r\n", []byte("x"))
		}},
		{"request-terabyte", "a length of a terabyte", Any, false, func(*rand.Rand) []byte { return post("Content-Length: 1099511627776\r\n", []byte("x")) }},
		{"request-chunk-size", "a chunk of 16 exabytes", Any, false, func(*rand.Rand) []byte {
			return post("Transfer-Encoding: chunked\r\n", []byte("ffffffffffffffff\r\nx"))
		}},
		{"request-chunk-extension", "chunk extensions of 8 MB", Any, true, func(*rand.Rand) []byte {
			return post("Transfer-Encoding: chunked\r\n", bytes.Repeat([]byte("1;"+strings.Repeat("e", 1000)+"\r\nx\r\n"), 8000))
		}},
		{"request-trailers", "200,000 trailers", Any, true, func(*rand.Rand) []byte {
			return post("Transfer-Encoding: chunked\r\n", []byte("0\r\n"+strings.Repeat("X: 1\r\n", 200_000)+"\r\n"))
		}},
		{"request-encodings", "chunks in chunks", Any, false, func(*rand.Rand) []byte { return post("Transfer-Encoding: chunked, chunked\r\n", []byte("0\r\n\r\n")) }},
		{"request-expect", "an expectation that does not exist", Any, false, func(*rand.Rand) []byte { return post("Expect: 200-ok\r\nContent-Length: 1\r\n", []byte("x")) }},
		{"request-upgrade", "an upgrade to nothing", Any, false, func(*rand.Rand) []byte { return get("Connection: Upgrade\r\nUpgrade: nothing\r\n") }},
		{"request-nul", "NUL in a header field", Any, false, func(*rand.Rand) []byte { return get("X: a\x00b\r\n") }},
		{"request-line-feeds", "line feeds alone", Any, false, func(*rand.Rand) []byte { return []byte("GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n") }},
		{"request-folded", "folded header fields", Any, false, func(*rand.Rand) []byte { return get("X: a\r\n" + strings.Repeat(" b\r\n", 10_000)) }},
		{"request-version", "another version", Any, false, func(*rand.Rand) []byte { return []byte("GET /healthz HTTP/9.9\r\n" + hostLine + "\r\n") }},
		{"request-method", "an unknown method", Any, false, func(r *rand.Rand) []byte {
			return []byte(strings.Repeat("M", 1+r.IntN(1000)) + " / HTTP/1.1\r\n" + hostLine + "\r\n")
		}},
		{"request-noise", "a megabyte of noise", Any, false, func(r *rand.Rand) []byte { return noise(r, 1<<20) }},
		{"request-tls", "a greeting of TLS", Any, false, func(r *rand.Rand) []byte {
			return append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), noise(r, 508)...)
		}},
		{"request-http2", "a preface of HTTP/2 and settings", Any, false, func(*rand.Rand) []byte {
			return []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		}},
		{"request-pipelined", "20,000 requests without waiting", Any, true, func(*rand.Rand) []byte { return bytes.Repeat(get(""), 20_000) }},
	}}}
}
