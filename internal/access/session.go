package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/atomicfile"
)

// SessionLength is how long a session lasts.
const SessionLength = 12 * time.Hour

// maxCookie bounds the cookies that are looked at.
const maxCookie = 256

// sessions sign the cookies of the page. They are not stored: a cookie has the id of its key, the end of the session and
// a nonce, signed with a secret of this node. The key is looked up at each request, so that a session ends with its key.
type sessions struct {
	path string

	mu     sync.Mutex
	secret []byte // nil until it is needed
}

// key returns the secret; it is made where there is none.
func (s *sessions) key() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret != nil {
		return s.secret, nil
	}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		secret := make([]byte, sha256.Size)
		_, _ = rand.Read(secret) // never fails
		text = []byte(hex.EncodeToString(secret) + "\n")
		err = atomicfile.Write(s.path, text, fileMode)
	}
	if err != nil {
		return nil, fmt.Errorf("use the secret of sessions: %w: %w", edgelens.ErrStorage, err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != sha256.Size {
		return nil, fmt.Errorf("use the secret of sessions: %w: %s is damaged; remove it, which ends all sessions", edgelens.ErrStorage, s.path)
	}
	s.secret = secret
	return secret, nil
}

// sign returns the signature of text for a purpose, so that none serves another.
func sign(secret []byte, purpose string, parts ...string) string {
	mac := hmac.New(sha256.New, secret)
	for _, part := range append([]string{purpose}, parts...) {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part) // never fails
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// NewSession starts a session by a token. Its error is Authenticate's, or an edgelens.ErrStorage.
func (k *Keys) NewSession(token string) (edgelens.Session, error) {
	key, err := k.Authenticate(token)
	if err != nil {
		return edgelens.Session{}, err
	}
	secret, err := k.sessions.key()
	if err != nil {
		return edgelens.Session{}, err
	}
	expires := k.now().Add(SessionLength).Truncate(time.Second)
	payload := strings.Join([]string{key.ID, strconv.FormatInt(expires.Unix(), 10), random(secretBytes / 2)}, ".")
	hash := hashOf(token)
	cookie := payload + "." + sign(secret, "session", payload, string(hash[:]))
	return edgelens.Session{Key: key, Cookie: cookie, Expires: expires, CSRFToken: sign(secret, "csrf", cookie)}, nil
}

// errSession is the error for a cookie that is no session.
var errSession = fmt.Errorf("%w: the session has ended; log in again at /login", edgelens.ErrUnauthorized)

// OpenSession returns the session of a cookie. Its error is an edgelens.ErrUnauthorized where it is forged or over, or
// its key was revoked, replaced or has expired.
func (k *Keys) OpenSession(cookie string) (edgelens.Session, error) {
	parts := strings.Split(cookie, ".")
	if len(cookie) > maxCookie || len(parts) != 4 {
		return edgelens.Session{}, errSession
	}
	one := k.set.Load().byID[parts[0]]
	if one == nil {
		return edgelens.Session{}, errSession
	}
	secret, err := k.sessions.key()
	if err != nil {
		return edgelens.Session{}, err
	}
	// With the hash of the token, so that another token ends the sessions of the one before.
	want := sign(secret, "session", strings.Join(parts[:3], "."), string(one.Hash[:]))
	if !hmac.Equal([]byte(parts[3]), []byte(want)) {
		return edgelens.Session{}, errSession
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	expires := time.Unix(seconds, 0)
	if err != nil || !k.now().Before(expires) {
		return edgelens.Session{}, errSession
	}
	key, err := k.use(one)
	if err != nil {
		return edgelens.Session{}, err
	}
	return edgelens.Session{Key: key, Cookie: cookie, Expires: expires, CSRFToken: sign(secret, "csrf", cookie)}, nil
}
