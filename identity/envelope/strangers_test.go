package envelope_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens/identity/envelope"
	"edgelens/identity/keys"
)

// example returns the block of Python in docs/signatures.md that has a text.
func example(t *testing.T, text string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "signatures.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "```python\n")[1:] {
		if code, _, _ := strings.Cut(block, "```"); strings.Contains(code, text) {
			return code
		}
	}
	t.Fatalf("docs/signatures.md has no Python with %q", text)
	return ""
}

// python returns Python with a package.
func python(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 on PATH")
	}
	if out, err := exec.Command(program, "-c", "import "+name).CombinedOutput(); err != nil {
		t.Skipf("Python has no package %s: %s", name, out)
	}
	return program
}

// files writes the key of the door by OpenSSL where it is there, else by us, and the key set of the node.
func (s *site) files(t *testing.T) (key, set string) {
	t.Helper()
	folder := t.TempDir()
	key, set = filepath.Join(folder, "door.key"), filepath.Join(folder, "jwks.json")
	if err := keys.Store(key, s.door); err != nil {
		t.Fatal(err)
	}
	jwk, err := keys.NewJWK(&s.node.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	jwk.Use, jwk.Algorithm = "enc", "ECDH-ES"
	text, err := json.Marshal(map[string]any{"keys": []keys.JWK{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(set, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return key, set
}

// sealBy returns what a program seals.
func sealBy(t *testing.T, program, code, message string, arguments ...string) string {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-c", code}, arguments...)...)
	cmd.Stdin = strings.NewReader(message)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problem.String())
	}
	return string(out)
}

// atNow sets the clock of a site to that of this machine, which other programs use.
func atNow(t *testing.T) {
	t.Helper()
	before := now
	now = time.Now()
	t.Cleanup(func() { now = before })
}

func openedBy(t *testing.T, s *site, sealed, want string) {
	t.Helper()
	opened, err := s.opener.Open(t.Context(), []byte(sealed))
	if err != nil || opened.Device != "door" || string(opened.Payload) != want {
		t.Errorf("%v, of %q, %.100q", err, opened.Device, opened.Payload)
	}
	if _, err := s.opener.Open(t.Context(), []byte(sealed)); reasonOf(t, err) != envelope.ReasonReplay {
		t.Errorf("a second time: %v", err)
	}
}

// What the example of the docs seals, with Python's joserfc, is opened.
func TestPythonExampleSeals(t *testing.T) {
	program, code := python(t, "joserfc"), example(t, "from joserfc")
	atNow(t)
	s := newSite(t)
	key, set := s.files(t)
	message := `{"cmd":"heartU","name":"Ærø"}`
	openedBy(t, s, sealBy(t, program, code, message, key, set), message)
}

// So is what Python's jwcrypto seals.
func TestJWCryptoSeals(t *testing.T) {
	program := python(t, "jwcrypto")
	const code = `
import json, secrets, sys, time
from jwcrypto import jwk, jws, jwe
device = jwk.JWK.from_pem(open(sys.argv[1], "rb").read())
node = next(k for k in json.load(open(sys.argv[2]))["keys"] if k["use"] == "enc")
inner = jws.JWS(sys.stdin.buffer.read())
inner.add_signature(device, None, json.dumps({"alg": "ES256", "kid": device.thumbprint(), "aud": node["kid"], "iat": int(time.time()), "jti": secrets.token_hex(16)}), None)
outer = jwe.JWE(inner.serialize(compact=True), json.dumps({"alg": "ECDH-ES", "enc": "A256GCM", "kid": node["kid"]}))
outer.add_recipient(jwk.JWK(**node))
print(outer.serialize(compact=True))
`
	atNow(t)
	s := newSite(t)
	key, set := s.files(t)
	openedBy(t, s, sealBy(t, program, code, `{"cmd":"heartU"}`, key, set), `{"cmd":"heartU"}`)
}
