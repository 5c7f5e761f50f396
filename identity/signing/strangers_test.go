package signing_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/jcs"
)

// OpenSSL verifies a signature over the canonical bytes.
func TestOpenSSLVerifies(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on PATH")
	}
	node, folder := newNode(t, t.TempDir()), t.TempDir()
	canonical, err := jcs.Canonicalize([]byte(`{ "b": [1.0, "é"], "a": true }`))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(signed(t, node, string(canonical)), ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var public []byte
	for _, key := range keysOf(t, node) {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	input := parts[0] + "." + base64.RawURLEncoding.EncodeToString(canonical)
	key, signature := write("key.pem", public), write("signature", derOf(raw))
	for text, want := range map[string]bool{input: true, input + "A": false} {
		out, err := exec.Command(program, "dgst", "-sha256", "-verify", key, "-signature", signature, write("input", []byte(text))).CombinedOutput()
		if (err == nil) != want {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// python runs the examples of docs/signatures.md.
func python(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 on PATH")
	}
	if out, err := exec.Command(program, "-c", "import cryptography").CombinedOutput(); err != nil {
		t.Skipf("Python has no package cryptography: %s", out)
	}
	return program
}

// example returns the first block of code of a language in docs/signatures.md that has a text.
func example(t *testing.T, language, text string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "signatures.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "```"+language+"\n")[1:] {
		if code, _, _ := strings.Cut(block, "```"); strings.Contains(code, text) {
			return code
		}
	}
	t.Fatalf("docs/signatures.md has no %s with %q", language, text)
	return ""
}

// verifyByExample runs a program of the docs on an event and on a changed one.
func verifyByExample(t *testing.T, file string, command ...string) {
	t.Helper()
	node, folder := newNode(t, t.TempDir()), t.TempDir()
	set, err := node.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	good := string(node.SignObject([]byte(`{"n":[0.59,1e-7,1e21,5],"é":"\u20ac\n<😀>","data":null}`))) + "\n"
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program, keys := write(file, command[len(command)-1]), write("jwks.json", string(set))
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{"good.json": {good, true}, "changed.json": {strings.Replace(good, "0.59", "0.6", 1), false}, "unsigned.json": {`{"a":1}`, false}} {
		arguments := append(append([]string{}, command[1:len(command)-1]...), program, write(name, test.text), keys)
		out, err := exec.Command(command[0], arguments...).CombinedOutput()
		if (err == nil) != test.ok {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestPythonExampleVerifies(t *testing.T) {
	verifyByExample(t, "verify.py", python(t), example(t, "python", "def canonical"))
}

func TestNodeExampleVerifies(t *testing.T) {
	program, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node on PATH")
	}
	verifyByExample(t, "verify.mjs", program, example(t, "js", "createPublicKey"))
}
