package api

import (
	"bytes"
	"strings"
)

// plainHead is the head of a request for a recognition that holds nothing but what the most ordinary programs send.
type plainHead struct {
	// bytes is how long the head is, with the empty line at its end, and length that of its body.
	bytes, length int
	host          string
	// token is the key in the headers; "" for none.
	token string
	// isForm is true where the key may be in the body.
	isForm bool
}

// plainRequest begins a plainHead. Another path, a query or another version are left to net/http.
const plainRequest = "POST /api/recognize HTTP/1.1\r\n"

// maxPlainHost bounds the name in a plainHead.
const maxPlainHost = 255

// readPlainHead reads the head at the begin of what a connection has received. ok is false for everything that it does not know to mean
// the same to net/http: it never guesses.
func readPlainHead(received []byte) (head plainHead, ok bool) {
	rest, ok := bytes.CutPrefix(received, []byte(plainRequest))
	if !ok {
		return head, false
	}
	hosts, lengths, types := 0, 0, 0
	var lower [maxPlainName]byte
	for {
		line, after, found := bytes.Cut(rest, []byte("\r\n"))
		if !found {
			return head, false
		}
		if rest = after; len(line) == 0 {
			break
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if value = bytes.Trim(value, " \t"); !found || !isPlainValue(value) {
			return head, false
		}
		switch string(lowerCase(name, &lower)) {
		case "user-agent", "accept", "accept-encoding", "accept-language":
		case "connection":
			if !strings.EqualFold(string(value), "keep-alive") {
				return head, false
			}
		case "host":
			head.host = string(value)
			hosts++
		case "content-type":
			head.isForm = !isOneOf(value, "image/", "application/octet-stream", "application/json")
			types++
		case "content-length":
			if head.length, ok = plainNumber(value); !ok {
				return head, false
			}
			lengths++
		case "authorization":
			scheme, token, _ := strings.Cut(string(value), " ")
			if head.token != "" || !strings.EqualFold(scheme, "bearer") || !isToken(token) {
				return head, false
			}
			head.token = token
		case "x-api-key":
			if head.token != "" || !isToken(string(value)) {
				return head, false
			}
			head.token = string(value)
		default:
			return head, false
		}
	}
	head.bytes = len(received) - len(rest)
	return head, hosts == 1 && isPlainHost(head.host) && lengths == 1 && types <= 1
}

// maxPlainName bounds the names of headers in a plainHead.
const maxPlainName = 32

// lowerCase is a name in lower case, in the given buffer; nil for one that is too long.
func lowerCase(name []byte, buffer *[maxPlainName]byte) []byte {
	if len(name) > len(buffer) {
		return nil
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		buffer[i] = b
	}
	return buffer[:len(name)]
}

// isPlainValue reports whether a header's value is in printable ASCII.
func isPlainValue(value []byte) bool {
	for _, b := range value {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

func isOneOf(value []byte, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if bytes.HasPrefix(value, []byte(prefix)) {
			return true
		}
	}
	return false
}

// plainNumber reads a Content-Length of a few digits, more than 0.
func plainNumber(text []byte) (n int, ok bool) {
	if len(text) == 0 || len(text) > len("999999") {
		return 0, false
	}
	for _, b := range text {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = 10*n + int(b-'0')
	}
	return n, n > 0
}

// isToken reports whether text begins as the keys of this service, and is one word.
func isToken(text string) bool {
	return strings.HasPrefix(text, tokenPrefix) && !strings.ContainsAny(text, " ,;")
}

// isPlainHost reports whether a Host has but letters, digits and what belongs to names, addresses and ports.
func isPlainHost(host string) bool {
	return host != "" && len(host) <= maxPlainHost && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") == ""
}
