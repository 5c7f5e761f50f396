package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxHead is the longest head of an answer that a flood accepts, in bytes.
const maxHead = 16 << 10

var (
	// errBadAnswer: what was received is no answer that a flood understands.
	errBadAnswer = errors.New("bad answer")
	// errIncomplete: more bytes of the answer are to come.
	errIncomplete = errors.New("incomplete answer")
)

// answerHead is the head of a final answer.
type answerHead struct {
	status int
	// length is that of the head and of the body that follows it, in bytes.
	length int
	// keep is whether the server keeps the connection.
	keep bool
}

// parseHead reads the head of a final answer, behind heads with a status below 200. It understands what a Go server sends
// that knows the length of its answer: HTTP/1.1, one Content-Length, no Transfer-Encoding. Errors: errIncomplete,
// errBadAnswer.
func parseHead(data []byte) (answerHead, error) {
	for skipped := 0; ; {
		rest := data[skipped:]
		end := bytes.Index(rest, []byte("\r\n\r\n"))
		if end < 0 {
			if len(data) > maxHead {
				return answerHead{}, fmt.Errorf("%w: its head is longer than %d bytes", errBadAnswer, maxHead)
			}
			return answerHead{}, errIncomplete
		}
		head, err := parseLines(rest[:end+2])
		if err != nil {
			return answerHead{}, err
		}
		skipped += end + 4
		if head.status >= 200 {
			head.length += skipped
			return head, nil
		}
	}
}

// parseLines reads the lines of a head, each with its line break. The length is that of the body alone.
func parseLines(lines []byte) (answerHead, error) {
	line, lines, _ := bytes.Cut(lines, []byte("\r\n"))
	status, ok := parseStatus(line)
	if !ok {
		return answerHead{}, fmt.Errorf("%w: status line %q", errBadAnswer, line)
	}
	head := answerHead{status: status, length: -1, keep: true}
	for len(lines) > 0 {
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			return answerHead{}, fmt.Errorf("%w: header %q", errBadAnswer, line)
		}
		value = bytes.Trim(value, " \t")
		switch {
		case isName(name, "Content-Length"):
			n, ok := parseDigits(value, 9)
			if !ok || head.length >= 0 {
				return answerHead{}, fmt.Errorf("%w: header %q", errBadAnswer, line)
			}
			head.length = n
		case isName(name, "Transfer-Encoding"):
			return answerHead{}, fmt.Errorf("%w: header %q", errBadAnswer, line)
		case isName(name, "Connection") && isName(value, "close"):
			head.keep = false
		}
	}
	if status < 200 || status == 204 || status == 304 {
		if head.length > 0 {
			return answerHead{}, fmt.Errorf("%w: status %d with a body", errBadAnswer, status)
		}
		head.length = 0
	}
	if head.length < 0 {
		return answerHead{}, fmt.Errorf("%w: no Content-Length", errBadAnswer)
	}
	return head, nil
}

// parseStatus reads "HTTP/1.1 200 OK". 101 ends HTTP, and is refused.
func parseStatus(line []byte) (status int, ok bool) {
	code, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(code) < 3 || len(code) > 3 && code[3] != ' ' {
		return 0, false
	}
	status, ok = parseDigits(code[:3], 3)
	return status, ok && status >= 100 && status < 600 && status != 101
}

// parseDigits reads a number of at most so many decimal digits, and of nothing else.
func parseDigits(text []byte, most int) (int, bool) {
	if len(text) == 0 || len(text) > most {
		return 0, false
	}
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(string(text))
	return n, err == nil
}

// isName compares without regard to case.
func isName(text []byte, name string) bool {
	return len(text) == len(name) && bytes.EqualFold(text, []byte(name))
}
