package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// maxKey bounds the bytes of a key's token.
const maxKey = 512

// ReadKey returns the token in a file, or where file is "" in the environment variable of that name; "" for none. environ
// has the form of os.Environ().
func ReadKey(file string, environ []string, name string) (string, error) {
	if file == "" {
		for _, pair := range environ {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return strings.TrimSpace(value), nil
			}
		}
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	defer f.Close() // read only
	text, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" || len(key) > maxKey || strings.ContainsAny(key, " \t\r\n") {
		return "", errors.New("read the key: " + file + " must have the token that `edgelens key create` printed, and nothing else")
	}
	return key, nil
}

// authorize adds the key to a request, unless it is "".
func authorize(r *http.Request, key string) {
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
}
