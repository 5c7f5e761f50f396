package envelope_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/identity/keys"
)

var now = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

// memory is a Guard without a disk.
type memory map[string]int64

func (m memory) CheckStamp(_ context.Context, s edgelens.EnvelopeStamp) error {
	if _, known := m[s.KeyID+s.ID]; s.ID != "" && known || s.Counter != 0 && s.Counter <= m[s.KeyID] {
		return edgelens.ErrConflict
	}
	return nil
}

func (m memory) NoteStamp(_ context.Context, s edgelens.EnvelopeStamp) error {
	m[s.KeyID+s.ID] = s.Counter
	return nil
}

// site is a node with two devices.
type site struct {
	node, door, gate *ecdsa.PrivateKey
	guard            memory
	opener           *envelope.Opener
	sealer           envelope.Sealer
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func idOf(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	id, err := keys.ID(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{node: newKey(t), door: newKey(t), gate: newKey(t), guard: memory{}}
	devices := map[string]*ecdsa.PublicKey{"door": &s.door.PublicKey, "gate": &s.gate.PublicKey}
	find := func(id string) (string, *ecdsa.PublicKey, bool) {
		for name, key := range devices {
			if own, err := keys.ID(key); err == nil && own == id {
				return name, key, true
			}
		}
		return "", nil, false
	}
	opener, err := envelope.NewOpener(envelope.DefaultConfig(), s.node, find, s.guard, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	s.opener, s.sealer = opener, envelope.Sealer{Key: s.door, Node: &s.node.PublicKey, Now: func() time.Time { return now }}
	return s
}

func encode(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

func jsonOf(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// jws signs by a key, with whatever header.
func (s *site) jws(t testing.TB, key *ecdsa.PrivateKey, message string, change func(map[string]any)) string {
	t.Helper()
	header := map[string]any{"alg": "ES256", "kid": idOf(t, s.door), "aud": idOf(t, s.node), "iat": now.Unix(), "jti": rand.Text()}
	if change != nil {
		change(header)
	}
	input := encode(jsonOf(t, header)) + "." + encode([]byte(message))
	sum := sha256.Sum256([]byte(input))
	r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return input + "." + encode(signature)
}

// jwe encrypts to a key.
func jwe(t testing.TB, to *ecdsa.PublicKey, id, text string, change func(*jose.EncrypterOptions)) string {
	t.Helper()
	options := &jose.EncrypterOptions{}
	if change != nil {
		change(options)
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: to, KeyID: id}, options)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := encrypter.Encrypt([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	token, err := encrypted.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *site) seal(t testing.TB, text string) string {
	t.Helper()
	return jwe(t, &s.node.PublicKey, idOf(t, s.node), text, nil)
}

// reheader returns a JWE with a member of its header changed.
func reheader(t testing.TB, token, name string, value any) string {
	t.Helper()
	first, rest, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	header[name] = value
	return encode(jsonOf(t, header)) + "." + rest
}

func reasonOf(t testing.TB, err error) string {
	t.Helper()
	var refusal *edgelens.EnvelopeRefusal
	if err == nil {
		return "opened"
	}
	if !errors.As(err, &refusal) || !errors.Is(err, edgelens.ErrInvalid) || !strings.HasSuffix(refusal.Detail, ".") {
		t.Fatalf("no refusal with a sentence: %v", err)
	}
	return refusal.Reason
}

func TestSealAndOpen(t *testing.T) {
	s := newSite(t)
	for name, message := range map[string]string{"JSON": `{"cmd":"heartU"}`, "bytes": "\xff\xd8\x00" + strings.Repeat("x", 200_000), "nothing": ""} {
		sealed, err := s.sealer.Seal([]byte(message), 0)
		if err != nil || !envelope.IsSealed(sealed) || bytes.Contains(sealed, []byte(encode([]byte("heartU")))) {
			t.Fatalf("%s: %v, %.100s", name, err, sealed)
		}
		opened, err := s.opener.Open(t.Context(), append(sealed, '\n'))
		if err != nil || opened.Device != "door" || string(opened.Payload) != message {
			t.Fatalf("%s: %v, of %q", name, err, opened.Device)
		}
		if err := opened.Done(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplay(t *testing.T) {
	s := newSite(t)
	sealed, err := s.sealer.Seal([]byte("m"), 0)
	if err != nil {
		t.Fatal(err)
	}
	open := func(sealed []byte) (edgelens.Opened, string) {
		opened, err := s.opener.Open(t.Context(), sealed)
		return opened, reasonOf(t, err)
	}
	first, reason := open(sealed)
	if reason != "opened" {
		t.Fatal(reason)
	}
	if _, reason := open(sealed); reason != envelope.ReasonReplay {
		t.Errorf("while the first is processed: %s", reason)
	}
	if err := first.Done(t.Context(), false); err != nil { // not processed: the broker sends it again
		t.Fatal(err)
	}
	again, reason := open(sealed)
	if reason != "opened" {
		t.Fatal(reason)
	}
	if err := again.Done(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, reason := open(sealed); reason != envelope.ReasonReplay {
		t.Errorf("after the first: %s", reason)
	}
	// Of a device without a clock.
	for _, test := range []struct {
		counter int64
		want    string
	}{{5, "opened"}, {5, envelope.ReasonReplay}, {4, envelope.ReasonReplay}, {9, "opened"}, {6, envelope.ReasonReplay}, {10, "opened"}} {
		sealed, err := s.sealer.Seal([]byte("m"), test.counter)
		if err != nil {
			t.Fatal(err)
		}
		opened, reason := open(sealed)
		if reason != test.want {
			t.Errorf("counter %d: %s, want %s", test.counter, reason, test.want)
		}
		if reason == "opened" {
			if err := opened.Done(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOpenRefusesTheSignature(t *testing.T) {
	s := newSite(t)
	without := func(name string) func(map[string]any) { return func(h map[string]any) { delete(h, name) } }
	with := func(name string, value any) func(map[string]any) {
		return func(h map[string]any) { h[name] = value }
	}
	sealedJWS := func(change func(map[string]any)) string { return s.seal(t, s.jws(t, s.door, "m", change)) }
	good := s.jws(t, s.door, "m", nil)
	unsigned := encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte("m")) + "."
	point, err := s.door.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mac := func() string { // HS256 with the public key as the secret
		input := encode(jsonOf(t, map[string]any{"alg": "HS256", "kid": idOf(t, s.door), "aud": idOf(t, s.node), "iat": now.Unix(), "jti": "x"})) + "." + encode([]byte("m"))
		h := hmac.New(sha256.New, point)
		h.Write([]byte(input))
		return input + "." + encode(h.Sum(nil))
	}
	for name, test := range map[string]struct{ token, want string }{
		"good":                          {s.seal(t, good), "opened"},
		"alg none":                      {s.seal(t, unsigned), envelope.ReasonAlgorithm},
		"alg none with all else":        {sealedJWS(with("alg", "none")), envelope.ReasonAlgorithm},
		"HS256 with the public key":     {s.seal(t, mac()), envelope.ReasonAlgorithm},
		"the signature is stripped":     {s.seal(t, good[:strings.LastIndex(good, ".")+1]), envelope.ReasonSignature},
		"the signature is of zeros":     {s.seal(t, good[:strings.LastIndex(good, ".")+1]+encode(make([]byte, 64))), envelope.ReasonSignature},
		"another message":               {s.seal(t, strings.Replace(good, "."+encode([]byte("m"))+".", "."+encode([]byte("n"))+".", 1)), envelope.ReasonSignature},
		"kid of another device":         {sealedJWS(with("kid", idOf(t, s.gate))), envelope.ReasonSignature},
		"kid of nobody":                 {sealedJWS(with("kid", "nobody")), envelope.ReasonKey},
		"no kid":                        {sealedJWS(without("kid")), envelope.ReasonKey},
		"signed by another device":      {s.seal(t, s.jws(t, s.gate, "m", nil)), envelope.ReasonSignature},
		"aud of another node":           {sealedJWS(with("aud", idOf(t, s.gate))), envelope.ReasonAudience},
		"no aud":                        {sealedJWS(without("aud")), envelope.ReasonAudience},
		"aud is a list":                 {sealedJWS(with("aud", []string{idOf(t, s.node)})), envelope.ReasonHeader},
		"no iat":                        {sealedJWS(without("iat")), envelope.ReasonHeader},
		"no jti":                        {sealedJWS(without("jti")), envelope.ReasonHeader},
		"a long jti":                    {sealedJWS(with("jti", strings.Repeat("x", 65))), envelope.ReasonHeader},
		"iat is text":                   {sealedJWS(with("iat", "now")), envelope.ReasonHeader},
		"the clock is a day behind":     {sealedJWS(with("iat", now.Add(-24*time.Hour).Unix())), envelope.ReasonTime},
		"the clock is a day ahead":      {sealedJWS(with("iat", now.Add(24*time.Hour).Unix())), envelope.ReasonTime},
		"the clock is of 1970":          {sealedJWS(with("iat", 7)), envelope.ReasonTime},
		"the clock is of no time":       {sealedJWS(with("iat", int64(9007199254740992))), envelope.ReasonTime},
		"counter 0":                     {sealedJWS(with("ctr", 0)), envelope.ReasonHeader},
		"a negative counter":            {sealedJWS(with("ctr", -1)), envelope.ReasonHeader},
		"a key in the header":           {sealedJWS(with("jwk", map[string]string{"kty": "EC"})), envelope.ReasonHeader},
		"an address of keys":            {sealedJWS(with("jku", "http://127.0.0.1/")), envelope.ReasonHeader},
		"a demand":                      {sealedJWS(with("crit", []string{"b64"})), envelope.ReasonHeader},
		"a large header":                {sealedJWS(with("typ", strings.Repeat("x", 3000))), envelope.ReasonHeader},
		"the header twice":              {s.seal(t, encode([]byte(`{"alg":"ES256","alg":"none"}`))+".bQ.bQ"), envelope.ReasonHeader},
		"encrypted and not signed":      {s.seal(t, `{"cmd":"heartU"}`), envelope.ReasonForm},
		"encrypted twice":               {s.seal(t, s.seal(t, good)), envelope.ReasonForm},
		"nothing":                       {s.seal(t, ""), envelope.ReasonForm},
		"signed and not encrypted":      {good, envelope.ReasonForm},
		"base64 is no encryption":       {encode([]byte(`{"alg":"ECDH-ES","enc":"A256GCM"}`)) + "." + encode([]byte(good)) + "...", envelope.ReasonHeader},
		"the time beside the signature": {reheader(t, s.seal(t, s.jws(t, s.door, "m", without("iat"))), "iat", now.Unix()), envelope.ReasonHeader},
	} {
		_, err := s.opener.Open(t.Context(), []byte(test.token))
		if got := reasonOf(t, err); got != test.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, test.want)
		}
	}
}

func TestOpenRefusesTheEncryption(t *testing.T) {
	s := newSite(t)
	good := s.seal(t, s.jws(t, s.door, "m", nil))
	other := newKey(t)
	fields := strings.Split(good, ".")
	join := func(change func(f []string)) string {
		copied := append([]string{}, fields...)
		change(copied)
		return strings.Join(copied, ".")
	}
	coordinate := func(n byte) string { return encode(bytes.Repeat([]byte{n}, 32)) }
	wrong, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384 := wrong.PublicKey().Bytes()
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 10<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	compressed := jwe(t, &s.node.PublicKey, idOf(t, s.node), s.jws(t, s.door, "m", nil), func(o *jose.EncrypterOptions) { o.Compression = jose.DEFLATE })
	for name, test := range map[string]struct{ token, want string }{
		"compressed":             {compressed, envelope.ReasonHeader},
		"a bomb":                 {reheader(t, join(func(f []string) { f[3] = encode(bomb.Bytes()) }), "zip", "DEF"), envelope.ReasonHeader},
		"p2c":                    {reheader(t, good, "p2c", 1<<40), envelope.ReasonHeader},
		"a demand":               {reheader(t, good, "crit", []string{"exp"}), envelope.ReasonHeader},
		"many members":           {reheader(t, good, "typ", strings.Repeat("x", 5000)), envelope.ReasonHeader},
		"to another node":        {jwe(t, &other.PublicKey, idOf(t, other), s.jws(t, s.door, "m", nil), nil), envelope.ReasonRecipient},
		"to another, our kid":    {jwe(t, &other.PublicKey, idOf(t, s.node), s.jws(t, s.door, "m", nil), nil), envelope.ReasonDecryption},
		"no kid":                 {jwe(t, &s.node.PublicKey, "", s.jws(t, s.door, "m", nil), nil), envelope.ReasonRecipient},
		"dir":                    {reheader(t, good, "alg", "dir"), envelope.ReasonAlgorithm},
		"key wrap":               {reheader(t, good, "alg", "ECDH-ES+A256KW"), envelope.ReasonAlgorithm},
		"passwords":              {reheader(t, good, "alg", "PBES2-HS256+A128KW"), envelope.ReasonAlgorithm},
		"A128CBC":                {reheader(t, good, "enc", "A128CBC-HS256"), envelope.ReasonAlgorithm},
		"alg is a number":        {reheader(t, good, "alg", 5), envelope.ReasonHeader},
		"epk not on the curve":   {reheader(t, good, "epk", map[string]string{"kty": "EC", "crv": "P-256", "x": coordinate(1), "y": coordinate(1)}), envelope.ReasonAlgorithm},
		"epk is zero":            {reheader(t, good, "epk", map[string]string{"kty": "EC", "crv": "P-256", "x": coordinate(0), "y": coordinate(0)}), envelope.ReasonAlgorithm},
		"epk beyond the field":   {reheader(t, good, "epk", map[string]string{"kty": "EC", "crv": "P-256", "x": coordinate(0xff), "y": coordinate(0xff)}), envelope.ReasonAlgorithm},
		"epk of P-384":           {reheader(t, good, "epk", map[string]string{"kty": "EC", "crv": "P-384", "x": encode(p384[1:49]), "y": encode(p384[49:])}), envelope.ReasonAlgorithm},
		"epk of P-384, as P-256": {reheader(t, good, "epk", map[string]string{"kty": "EC", "crv": "P-256", "x": encode(p384[1:49]), "y": encode(p384[49:])}), envelope.ReasonAlgorithm},
		"epk of another kind":    {reheader(t, good, "epk", map[string]string{"kty": "OKP", "crv": "X25519", "x": coordinate(9)}), envelope.ReasonAlgorithm},
		"epk is missing":         {reheader(t, good, "epk", nil), envelope.ReasonAlgorithm},
		"another epk":            {reheader(t, good, "epk", jwkOf(t, other)), envelope.ReasonDecryption},
		"an encrypted key":       {join(func(f []string) { f[1] = "bQ" }), envelope.ReasonForm},
		"another nonce":          {join(func(f []string) { f[2] = encode(make([]byte, 12)) }), envelope.ReasonDecryption},
		"a short nonce":          {join(func(f []string) { f[2] = "bQ" }), envelope.ReasonDecryption},
		"another text":           {join(func(f []string) { f[3] = encode(make([]byte, 300)) }), envelope.ReasonDecryption},
		"a short tag":            {join(func(f []string) { f[4] = f[4][:6] }), envelope.ReasonDecryption},
		"cut off":                {good[:len(good)-30], envelope.ReasonForm},
		"cut off in the text":    {good[:len(fields[0])+100], envelope.ReasonForm},
		"no base64":              {join(func(f []string) { f[0] = "e!" }), envelope.ReasonHeader},
		"six parts":              {good + ".x", envelope.ReasonForm},
		"empty":                  {"", envelope.ReasonForm},
		"points alone":           {"....", envelope.ReasonHeader},
	} {
		_, err := s.opener.Open(t.Context(), []byte(test.token))
		got := reasonOf(t, err)
		// What a cut leaves may end in the tag or before it.
		if got != test.want && !(name == "cut off" && got == envelope.ReasonDecryption) {
			t.Errorf("%s: %s (%v), want %s", name, got, err, test.want)
		}
	}
}

func jwkOf(t testing.TB, key *ecdsa.PrivateKey) map[string]string {
	t.Helper()
	jwk, err := keys.NewJWK(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"kty": jwk.KeyType, "crv": jwk.Curve, "x": jwk.X, "y": jwk.Y}
}

func TestIsSealed(t *testing.T) {
	s := newSite(t)
	sealed, err := s.sealer.Seal([]byte("m"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		string(sealed): true, " " + string(sealed): true, string(sealed[:200]): false, encode([]byte(`{"alg":"none"}`)) + ".": true,
		"": false, `{"cmd":"heartU"}`: false, "\xff\xd8\xff\xe0": false, encode([]byte(`{"cmd":"heartU"}`)): false, "eyJ.a.b.c.d": false, "ey.": false,
		encode([]byte(`{"cmd":"heartU"}`)) + ".x": false,
	} {
		// One that is cut off within its header is none any more: the dialect refuses it.
		if got := envelope.IsSealed([]byte(text)); got != want {
			t.Errorf("%.60q: %v", text, got)
		}
	}
}

func TestParsePublicKey(t *testing.T) {
	key := newKey(t)
	private, err := keys.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jwkOf(t, key)
	withPrivate := maps.Clone(jwk)
	withPrivate["d"] = "geheim"
	for name, text := range map[string]string{
		"nothing": "", "text": "key", "a private key": string(private), "a private JWK": string(jsonOf(t, withPrivate)), "P-384": string(pemOf(t, &wrong.PublicKey)),
		"a JWK of RSA": `{"kty":"RSA","n":"x","e":"AQAB"}`, "half a JWK": `{"kty":"EC","crv":"P-256"}`, "no JSON": "{", "large": strings.Repeat("x", 9000),
	} {
		if _, err := envelope.ParsePublicKey([]byte(text)); !errors.Is(err, edgelens.ErrInvalid) || strings.Contains(fmt.Sprint(err), "geheim") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string][]byte{"PEM": pemOf(t, &key.PublicKey), "JWK": jsonOf(t, jwk)} {
		if got, err := envelope.ParsePublicKey(text); err != nil || !got.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
