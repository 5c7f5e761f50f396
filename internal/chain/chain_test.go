package chain_test

import (
	"errors"
	"testing"

	"edgelens"
	"edgelens/internal/chain"
)

// The digests and hashes are by Python: hashlib.sha256 of json.dumps(sort_keys=True, separators=(",", ":")).
func TestHash(t *testing.T) {
	first, err := chain.Hash("c", "door", 1, "", "aa")
	if err != nil || first != "aff44bb4e6337c1919010cb864cbf26d9d9e2469e03db2f43e41fdd7ca973f3c" {
		t.Errorf("%s, %v", first, err)
	}
	for name, other := range map[string]func() (string, error){
		"chain":  func() (string, error) { return chain.Hash("d", "door", 1, "", "aa") },
		"device": func() (string, error) { return chain.Hash("c", "gate", 1, "", "aa") },
		"seq":    func() (string, error) { return chain.Hash("c", "door", 2, "", "aa") },
		"prev":   func() (string, error) { return chain.Hash("c", "door", 1, "bb", "aa") },
		"digest": func() (string, error) { return chain.Hash("c", "door", 1, "", "ab") },
	} {
		if hash, err := other(); err != nil || hash == first {
			t.Errorf("another %s: %s, %v", name, hash, err)
		}
	}
}

func TestDigest(t *testing.T) {
	const data = `{"outcome":"recognized","record":{"num":7},"image":{"sha256":"00ff","bytes":14,"url":"http://a/"},"age_ms":5,"replayed":false,"predictions":[{"class_id":3,"label":"cat","probability":0.5}]}`
	want, err := chain.Digest("e", []byte(data))
	if err != nil || want != "4016f8e6f065e06e907cdb2a0e0c349a88e20d6be6133ebedc5ea8513b26102d" {
		t.Errorf("%s, %v", want, err)
	}
	for name, test := range map[string]struct {
		data string
		same bool
	}{
		"another delivery":  {`{"age_ms":700,"replayed":true,"freshness":"replayed","freshness_reason":"old","chain":{"seq":1},"predictions":[{"label":"cat","probability":0.5,"class_id":3}],"record":{"num":7},"outcome":"recognized","image":{"bytes":14,"sha256":"00ff"},"later":"version"}`, true},
		"another person":    {`{"outcome":"recognized","record":{"num":8},"image":{"sha256":"00ff","bytes":14},"predictions":[{"class_id":3,"label":"cat","probability":0.5}]}`, false},
		"another label":     {`{"outcome":"recognized","record":{"num":7},"image":{"sha256":"00ff","bytes":14},"predictions":[{"class_id":3,"label":"dog","probability":0.5}]}`, false},
		"another image":     {`{"outcome":"recognized","record":{"num":7},"image":{"sha256":"00fe","bytes":14},"predictions":[{"class_id":3,"label":"cat","probability":0.5}]}`, false},
		"without the image": {`{"outcome":"recognized","record":{"num":7},"image":null,"predictions":[{"class_id":3,"label":"cat","probability":0.5}]}`, false},
	} {
		got, err := chain.Digest("e", []byte(test.data))
		if err != nil || (got == want) != test.same {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if other, err := chain.Digest("f", []byte(data)); err != nil || other == want {
		t.Errorf("another id: %s, %v", other, err)
	}
	long, err := chain.Digest("e", []byte(`{"record":{"card":12345678901234567890}}`))
	null, nullErr := chain.Digest("e", []byte(`{"record":null}`))
	if err != nil || nullErr != nil || long != null {
		t.Errorf("a record without a canonical form: %s, %v, want %s", long, err, null)
	}
	for _, bad := range []string{"", "[]", `"x"`, `{"outcome":NaN}`, `{"predictions":[{"class_id":12345678901234567890}]}`} {
		if got, err := chain.Digest("e", []byte(bad)); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %s, %v", bad, got, err)
		}
	}
}

func FuzzDigest(f *testing.F) {
	f.Add("e", `{"record":{"num":7},"image":{"sha256":"00"}}`)
	f.Add("\xff", `{"image":[]}`)
	f.Fuzz(func(t *testing.T, id, data string) {
		digest, err := chain.Digest(id, []byte(data))
		if err == nil && len(digest) != 64 {
			t.Errorf("%q", digest)
		}
	})
}
