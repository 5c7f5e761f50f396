package signing_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/identity/signing"
	"edgelens/internal/chain"
	"edgelens/internal/jcs"
)

func newNode(t testing.TB, dir string, change ...func(*signing.Config)) *signing.Node {
	t.Helper()
	config := signing.DefaultConfig()
	for _, c := range change {
		c(&config)
	}
	node, err := signing.Open(dir, config)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func keysOf(t testing.TB, node *signing.Node) signing.Keys {
	t.Helper()
	set, err := node.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	all, err := signing.ParseJWKS(set)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func signed(t testing.TB, node *signing.Node, text string) string {
	t.Helper()
	signature, err := node.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestSignAndVerify(t *testing.T) {
	node := newNode(t, t.TempDir())
	const text = `{"a":1}`
	signature := signed(t, node, text)
	if len(signature) > 256-len(`,"signature":""`) {
		t.Errorf("%d characters", len(signature))
	}
	proof, err := keysOf(t, node).Verify(signature, []byte(text))
	if err != nil || time.Since(proof.SignedAt) > time.Minute || len(proof.KeyID) != 43 {
		t.Errorf("%+v, %v", proof, err)
	}
	parts := strings.Split(signature, ".")
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) + ".." + parts[2] }
	own := keysOf(t, node)
	kid := proof.KeyID
	set, err := own[kid].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mac := func() string {
		first := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","iat":1,"kid":"` + kid + `"}`))
		h := hmac.New(sha256.New, set)
		h.Write([]byte(first + "." + base64.RawURLEncoding.EncodeToString([]byte(text))))
		return first + ".." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	for name, test := range map[string]struct{ signature, text, want string }{
		"another text":           {signature, `{"a":2}`, "does not match"},
		"one byte more":          {signature, text + "\n", "does not match"},
		"no signature":           {"", text, "form of a detached JWS"},
		"stripped":               {parts[0] + "..", text, "does not match"},
		"alg none":               {header(`{"alg":"none","iat":1,"kid":"` + kid + `"}`), text, "only ES256"},
		"alg none alone":         {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "..", text, "only ES256"},
		"HS256":                  {mac(), text, "only ES256"},
		"ES384":                  {header(`{"alg":"ES384","iat":1,"kid":"` + kid + `"}`), text, "only ES256"},
		"an unknown key":         {header(`{"alg":"ES256","iat":1,"kid":"x"}`), text, "not among the public keys"},
		"another time":           {header(`{"alg":"ES256","iat":1,"kid":"` + kid + `"}`), text, "does not match"},
		"no time":                {header(`{"alg":"ES256","kid":"` + kid + `"}`), text, "alg, kid and iat"},
		"more in the header":     {header(`{"alg":"ES256","iat":1,"kid":"` + kid + `","b64":false}`), text, "alg, kid and iat"},
		"a member twice":         {header(`{"alg":"none","alg":"ES256","iat":1,"kid":"` + kid + `"}`), text, "damaged header"},
		"a payload of its own":   {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + parts[2], text, "not detached"},
		"no base64":              {"*" + signature, text, "damaged header"},
		"long":                   {signature + strings.Repeat("x", 2000), text, "too long"},
		"four parts":             {signature + ".x", text, "does not match"},
		"the other of the pair":  {parts[0] + ".." + mirrored(t, parts[2]), text, ""}, // ECDSA has two signatures for each
		"a signature as ASN.1":   {parts[0] + ".." + asn1(t, parts[2]), text, "does not match"},
		"a signature of zeros":   {parts[0] + ".." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), text, "does not match"},
		"with padding and blank": {signature + "= ", text, "does not match"},
	} {
		_, err := own.Verify(test.signature, []byte(test.text))
		if test.want == "" && err == nil {
			continue
		}
		if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mirrored returns the other signature that is as good: (r, n - s).
func mirrored(t testing.TB, encoded string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	order := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	borrow := 0
	for i := 31; i >= 0; i-- {
		d := int(order[i]) - int(raw[32+i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		raw[32+i] = byte(d)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// asn1 returns a signature as OpenSSL writes it.
func asn1(t testing.TB, encoded string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(derOf(raw))
}

// derOf returns a signature of JOSE as the SEQUENCE of two INTEGERs of X9.62.
func derOf(raw []byte) []byte {
	integer := func(n []byte) []byte {
		n = bytes.TrimLeft(n, "\x00")
		if len(n) == 0 || n[0] >= 0x80 {
			n = append([]byte{0}, n...)
		}
		return append([]byte{2, byte(len(n))}, n...)
	}
	content := append(integer(raw[:32]), integer(raw[32:])...)
	return append([]byte{0x30, byte(len(content))}, content...)
}

func TestSignObject(t *testing.T) {
	node := newNode(t, t.TempDir())
	own := keysOf(t, node)
	for _, object := range []string{`{}`, `{"b":1,"a":{"é":0.59}}`, "{\"img\":\"" + strings.Repeat("QUJD", 50_000) + "\"}"} {
		got := node.SignObject([]byte(object))
		if _, err := own.VerifyObject(got); err != nil || !json.Valid(got) || !bytes.HasPrefix(got, []byte(object[:len(object)-1])) {
			t.Errorf("%.80s: %v", got, err)
		}
		var again map[string]any // as another program writes it
		if err := json.Unmarshal(got, &again); err != nil {
			t.Fatal(err)
		}
		written, err := json.MarshalIndent(again, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own.VerifyObject(written); err != nil {
			t.Errorf("written anew: %v", err)
		}
		again["b"] = "changed"
		changed, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own.VerifyObject(changed); err == nil {
			t.Errorf("changed: %s", changed)
		}
	}
	for _, object := range []string{`{"card":12345678901234567890}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `[]`, ``, `{"a":1} `} {
		if got := node.SignObject([]byte(object)); string(got) != object {
			t.Errorf("%s was signed: %s", object, got)
		}
	}
	for _, object := range []string{``, `[]`, `null`, `{"signature":5}`, `{"signature":""}`, `{"a":1}`, `{"signature":"a","signature":"b"}`} {
		if _, err := own.VerifyObject([]byte(object)); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", object, err)
		}
	}
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	running := newNode(t, dir) // of the service
	before := signed(t, running, "m")
	command := newNode(t, dir) // another process
	made, err := command.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	after := signed(t, running, "m")
	published := keysOf(t, running)
	proof, err := published.Verify(after, []byte("m"))
	if err != nil || proof.KeyID != made.ID {
		t.Errorf("signs by %s, %v, want %s", proof.KeyID, err, made.ID)
	}
	old, err := published.Verify(before, []byte("m"))
	if err != nil || old.KeyID == made.ID {
		t.Errorf("the key before: %v", err)
	}
	if err := command.Remove(made.ID); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("removed the present key: %v", err)
	}
	if err := command.Remove("x"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("removed an unknown key: %v", err)
	}
	if err := command.Remove(old.KeyID); err != nil {
		t.Fatal(err)
	}
	if _, err := keysOf(t, running).Verify(before, []byte("m")); err == nil {
		t.Error("a removed key is believed")
	}
	for _, name := range []string{"signing.key", "sealing.key"} {
		info, err := os.Stat(filepath.Join(dir, signing.Folder, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if restarted := signed(t, newNode(t, dir), "m"); published[made.ID] == nil {
		t.Errorf("another key after a restart: %s", restarted)
	}
}

func TestFormerKeysExpire(t *testing.T) {
	dir := t.TempDir()
	node := newNode(t, dir)
	before := signed(t, node, "m")
	if _, err := node.Rotate(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, signing.Folder, "signing-public.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var stored struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(text, &stored); err != nil || len(stored.Keys) != 2 {
		t.Fatalf("%s, %v", text, err)
	}
	stored.Keys[0]["retired_at"] = time.Now().Add(-2 * time.Hour)
	if text, err = json.Marshal(stored); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for keep, want := range map[time.Duration]bool{0: true, 3 * time.Hour: true, time.Hour: false} {
		_, err := keysOf(t, newNode(t, dir, func(c *signing.Config) { c.KeepKeys = keep })).Verify(before, []byte("m"))
		if (err == nil) != want {
			t.Errorf("kept for %v: %v", keep, err)
		}
	}
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := signing.Open(dir, signing.DefaultConfig()); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), file) {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestParseJWKS(t *testing.T) {
	node := newNode(t, t.TempDir())
	set, err := node.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(set), `"d"`) {
		t.Errorf("a private key in %s", set)
	}
	if all := keysOf(t, node); len(all) != 1 {
		t.Errorf("%d keys, without that for encryption 1", len(all))
	}
	if sealing, err := signing.ParseSealingKey(set); err != nil || sealing == nil {
		t.Error(err)
	}
	other, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := keys.NewJWK(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	real := jwk.KeyID
	jwk.KeyID = "another"
	text, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := signing.ParseJWKS(text); err != nil || all[real] == nil || all["another"] != nil {
		t.Errorf("a single key with a false id: %v, %v", all, err)
	}
	for _, bad := range []string{"", "{}", `{"keys":[]}`, `{"keys":[{"kty":"RSA"},5,null]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`, strings.Repeat(" ", 2<<20)} {
		if _, err := signing.ParseJWKS([]byte(bad)); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%.40q: %v", bad, err)
		}
		if _, err := signing.ParseSealingKey([]byte(bad)); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

func TestConfig(t *testing.T) {
	for keep, want := range map[time.Duration]bool{0: true, time.Hour: true, time.Minute: false, -time.Hour: false} {
		if err := (signing.Config{KeepKeys: keep}).Validate(); (err == nil) != want {
			t.Errorf("%v: %v", keep, err)
		}
	}
}

// events returns n signed events of a device, in their chain.
func events(t testing.TB, node *signing.Node, n int) (all []string) {
	t.Helper()
	prev := ""
	for seq := 1; seq <= n; seq++ {
		id := fmt.Sprint("event-", seq)
		data := map[string]any{"device": "door", "outcome": "recognized", "age_ms": 5, "record": map[string]any{"num": seq}}
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := chain.Digest(id, text)
		if err != nil {
			t.Fatal(err)
		}
		hash, err := chain.Hash("c", "door", int64(seq), prev, digest)
		if err != nil {
			t.Fatal(err)
		}
		data["chain"] = map[string]any{"id": "c", "seq": seq, "prev": prev, "hash": hash}
		if text, err = jcs.Marshal(map[string]any{"specversion": "1.0", "id": id, "data": data}); err != nil {
			t.Fatal(err)
		}
		all, prev = append(all, string(node.SignObject(text))), hash
	}
	return all
}

func TestVerifyEvents(t *testing.T) {
	node := newNode(t, t.TempDir())
	all := events(t, node, 4)
	own := keysOf(t, node)
	other := events(t, newNode(t, t.TempDir()), 1)[0]
	swapped := strings.Replace(all[1], `"num":2`, `"num":9`, 1)
	for name, test := range map[string]struct {
		lines  []string
		ok     bool
		reason string
	}{
		"one":                   {all[:1], true, ""},
		"all":                   {all, true, "No event of the device door is missing between 3 and 4"},
		"one removed":           {[]string{all[0], all[2], all[3]}, false, "1 events of the device door are missing between 1 and 3"},
		"in another order":      {[]string{all[1], all[0]}, false, "is after"},
		"one delivered twice":   {[]string{all[0], all[0], all[1]}, true, "delivered again"},
		"one changed":           {[]string{all[0], swapped}, false, "does not match"},
		"one by another":        {[]string{all[0], other}, false, "not among the public keys"},
		"one without signature": {[]string{all[0], `{"id":"x","data":{}}`}, false, `no member "signature"`},
		"none":                  {nil, false, "empty"},
		"text":                  {[]string{"hello"}, false, "not JSON"},
	} {
		report := signing.Verify([]byte(strings.Join(test.lines, "\n")), "", own)
		if all := fmt.Sprint(report.Proved, report.Failed, report.Notes); report.OK() != test.ok || !strings.Contains(all, test.reason) {
			t.Errorf("%s: %v, %s", name, report.OK(), all)
		}
	}
}

// Of a signed event with the hash of another content: the node is wrong, or its key was stolen.
func TestVerifyEventWithAnotherHash(t *testing.T) {
	node := newNode(t, t.TempDir())
	text := `{"id":"e","data":{"device":"door","chain":{"id":"c","seq":1,"prev":"","hash":"` + strings.Repeat("0", 64) + `"}}}`
	report := signing.Verify(node.SignObject([]byte(text)), "", keysOf(t, node))
	if report.OK() || !strings.Contains(fmt.Sprint(report.Failed), "not that of its content") {
		t.Errorf("%+v", report)
	}
}

func TestVerifyBody(t *testing.T) {
	node := newNode(t, t.TempDir())
	own := keysOf(t, node)
	const body = `{"a":1,"b":[true]}`
	signature := signed(t, node, body)
	for text, want := range map[string]bool{body: true, `{ "b": [true], "a": 1.0 }`: true, `{"a":2,"b":[true]}`: false, "text": false} {
		if report := signing.Verify([]byte(text), " "+signature+"\n", own); report.OK() != want {
			t.Errorf("%s: %+v", text, report)
		}
	}
	if report := signing.Verify([]byte("no JSON"), signed(t, node, "no JSON"), own); !report.OK() {
		t.Errorf("%+v", report)
	}
}

func FuzzVerify(f *testing.F) {
	node := newNode(f, f.TempDir())
	own := keysOf(f, node)
	all := events(f, node, 2)
	f.Add(strings.Join(all, "\n"), "")
	f.Add(all[0], signed(f, node, all[0]))
	f.Add(`{"kind":"head","chain":"c","device":"d","seq":1,"hash":"x"}`, "")
	f.Add(`{"kind":"event","chain":"c","device":"d","seq":1,"prev":"","hash":"x","digest":"y"}`, "")
	known := map[string]bool{all[0]: true, all[1]: true}
	f.Fuzz(func(t *testing.T, text, header string) {
		report := signing.Verify([]byte(text), header, own)
		if report.OK() && header == "" && !strings.Contains(text, "signature") && !known[text] {
			t.Errorf("proved %q: %q", text, report.Proved)
		}
		for _, line := range append(append(report.Failed, report.Proved...), report.Notes...) {
			if !strings.HasSuffix(line, ".") {
				t.Errorf("no sentence: %q", line)
			}
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	set, err := newNode(f, f.TempDir()).JWKS()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(set)
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := signing.ParseJWKS(text)
		for id, key := range all {
			if own, idErr := keys.ID(key); err != nil || idErr != nil || own != id {
				t.Errorf("%s: %v, %v", id, err, idErr)
			}
		}
	})
}

func BenchmarkSignObject(b *testing.B) {
	node := newNode(b, b.TempDir())
	event := []byte(`{"specversion":"1.0","id":"25973261-ac3f-8c66-98a2-9bac2a5037ff","source":"edgelens/devices/door","type":"edgelens.recognition.v1","subject":"door","time":"2026-04-10T08:00:07Z","datacontenttype":"application/json","data":{"outcome":"recognized","reason":"","device":"door","dialect":"fungxi","kind":"verified","passed":true,"record":{"num":7},"predictions":[{"class_id":3,"label":"cat","probability":0.5}],"model":{"name":"m","digest":"sha256:0"},"image":{"sha256":"00ff","bytes":14},"cached":true,"replayed":false,"freshness":"fresh","freshness_reason":"","captured_at":"2026-04-10T08:00:07Z","received_at":"2026-04-10T08:00:09Z","age_ms":5000}}`)
	for b.Loop() {
		if signed := node.SignObject(event); len(signed) == len(event) {
			b.Fatal("not signed")
		}
	}
}

func BenchmarkSignMegabyte(b *testing.B) {
	node := newNode(b, b.TempDir())
	text := make([]byte, 1<<20)
	if _, err := rand.Read(text); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if node.SignBytes(text) == "" {
			b.Fatal("not signed")
		}
	}
}
