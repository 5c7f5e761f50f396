package api

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/jcs"
)

const (
	// signatureHeader has the signature of a body's bytes.
	signatureHeader = "Edgelens-Signature"
	// maxSigned is the size of the largest body that is signed: it is in memory until then.
	maxSigned = 4 << 20
)

// Identity signs by the key of the node.
type Identity interface {
	// JWKS returns the public keys as a JSON Web Key Set.
	JWKS() ([]byte, error)
	// SignBytes returns the detached signature of bytes; empty where they cannot be signed.
	SignBytes(text []byte) string
}

// noIdentity is the Identity of a server without a key.
type noIdentity struct{}

func (noIdentity) JWKS() ([]byte, error) {
	return nil, fmt.Errorf("%w: this node has no key", edgelens.ErrNotFound)
}

func (noIdentity) SignBytes([]byte) string { return "" }

// serveJWKS answers GET /.well-known/jwks.json.
func (s *Server) serveJWKS(c echo.Context) error {
	set, err := s.identity.JWKS()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache") // a rotated key signs at once
	return c.Blob(http.StatusOK, "application/jwk-set+json", set)
}

// signAnswers signs the JSON of an answer where the client prefers that (Prefer: signed): the body is in canonical form
// then, and its signature in a header. What is no JSON, too large, or has no canonical form, is sent as it is, without the
// header.
func (s *Server) signAnswers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !readPreferences(c.Request().Header).signed {
			return next(c)
		}
		answer := &heldAnswer{ResponseWriter: c.Response().Writer}
		c.Response().Writer = answer
		err := next(c)
		c.Response().Writer = answer.ResponseWriter
		if sent := answer.send(s.identity); err == nil {
			err = sent
		}
		return err
	}
}

// heldAnswer holds an answer that is to be signed, and passes others on.
type heldAnswer struct {
	http.ResponseWriter
	// status is 0 until there is one; passing is true for an answer that is not held.
	status  int
	passing bool
	body    []byte
}

// Unwrap is for http.ResponseController.
func (a *heldAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *heldAnswer) WriteHeader(status int) {
	media, _, err := mime.ParseMediaType(a.Header().Get("Content-Type"))
	isJSON := err == nil && media == "application/json"
	if a.status = status; !isJSON || status < 200 || status > 299 {
		a.pass()
	}
}

// pass sends what is held, and passes on what follows.
func (a *heldAnswer) pass() {
	a.passing = true
	a.ResponseWriter.WriteHeader(a.status)
}

// Write implements io.Writer.
func (a *heldAnswer) Write(text []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.passing && len(a.body)+len(text) <= maxSigned {
		a.body = append(a.body, text...)
		return len(text), nil
	}
	if !a.passing {
		a.pass()
		if _, err := a.ResponseWriter.Write(a.body); err != nil {
			return 0, err
		}
		a.body = nil
	}
	return a.ResponseWriter.Write(text)
}

// Flush implements http.Flusher: what is flushed is no answer to be held.
func (a *heldAnswer) Flush() {
	if a.passing {
		_ = http.NewResponseController(a.ResponseWriter).Flush() // fails where nothing can be flushed
	}
}

// send signs and sends what is held.
func (a *heldAnswer) send(identity Identity) error {
	if a.status == 0 || a.passing {
		return nil
	}
	if canonical, err := jcs.Canonicalize(a.body); err == nil {
		if signature := identity.SignBytes(canonical); signature != "" {
			a.body = canonical
			a.Header().Set(signatureHeader, signature)
			a.Header().Set(preferenceApplied, strings.TrimPrefix(a.Header().Get(preferenceApplied)+", signed", ", "))
		}
	}
	a.Header().Del("Content-Length")
	a.pass()
	_, err := a.ResponseWriter.Write(a.body)
	return err
}
