package federation_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"edgelens"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/receipts"
)

func FuzzOpen(f *testing.F) {
	keys := newKeys(f, f.TempDir())
	public, err := keys.PublicKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := federation.Seal(keys, federation.KindPoll, federation.Poll{Node: "a", Seq: 1, Examples: map[string]int{"open": 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"kind":"poll","signature":""}`))
	f.Add([]byte(`{"kind":"poll","signature":"a..b","examples":{"open":-1}}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		var p federation.Poll
		if err := federation.Open(keys, public, federation.KindPoll, message, &p); err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("the error %v is no ErrInvalid", err)
			}
			if federation.RefusalOf(err).Reason == "" {
				t.Errorf("the error %v has no reason", err)
			}
			return
		}
		if p.Node != "a" || p.Seq != 1 || p.Examples["open"] != 3 {
			t.Errorf("a message that was not signed is accepted: %s", message)
		}
	})
}

func FuzzPoll(f *testing.F) {
	f.Add([]byte(`{"node":"a","seq":1,"examples":{"open":3},"held_out":2,"region":"0,0,1,1","fit":"center","standing":{"examples":3,"right":2,"before":1}}`))
	f.Add([]byte(`{"seq":1,"examples":{"open":-3}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p federation.Poll
		if federation.Peek(text, &p) != nil || p.Check() != nil {
			return
		}
		if p.Total([]string{"open", "closed"}) < 0 || p.HeldOut < 0 || p.Seq < 1 {
			t.Errorf("%s is accepted", text)
		}
	})
}

func FuzzDefinition(f *testing.F) {
	good, err := json.Marshal(federation.Definition{Head: "gate", Labels: labels, Settings: federation.DefaultSettings()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"head":"gate","labels":["a","a"],"features":1,"settings":{"deadline_s":1e300}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d federation.Definition
		if json.Unmarshal(text, &d) != nil || d.Validate() != nil || d.Features > 100 {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var read federation.Definition
		if err := json.Unmarshal(again, &read); err != nil || read.Validate() != nil || read.SameTask(d) != nil {
			t.Errorf("%s is read back as %s: %v", text, again, err)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(federation.NewToken("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ").String())
	f.Add("elf_.")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := federation.ParseToken(text)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("the error %v is no ErrInvalid", err)
			}
			return
		}
		if token.String() != text || !federation.CheckProof(token.Hash(), token.Proof("key"), "key") || federation.CheckProof(token.Hash(), token.Proof("key"), "other") || federation.TokenID(token.Hash()) != token.ID() {
			t.Errorf("the token %q is not what was read", text)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 0-71/72", "bytes 5-4/9", "bytes 0-99/72", "bytes -1-2/3", "bytes 0-1/*", "bytes +0-1/2", "bytes 0-9223372036854775807/9223372036854775808"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, total, err := coordinator.ParseContentRange(text)
		if err == nil && (first < 0 || first >= total) {
			t.Errorf("%q is read as from %d of %d", text, first, total)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	f.Add(values(1))
	f.Add(values(math.NaN()))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := federation.DecodeUpdate(data, len(labels), features)
		if (err == nil) != (len(data) == 72) {
			t.Fatalf("%d bytes: %v", len(data), err)
		}
		if err == nil && p.Check() == nil && string(federation.EncodeUpdate(p)) != string(data) {
			t.Error("an update is not what was read")
		}
		share, err := federation.DecodeShare(data, len(labels), features)
		if err == nil && string(federation.EncodeShare(share)) != string(data) {
			t.Error("a share is not what was read")
		}
	})
}

func FuzzReceipts(f *testing.F) {
	keys := newKeys(f, f.TempDir())
	public, err := keys.PublicKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"seq":1,"prev":"","hash":"","at":"2026-11-30T12:00:00Z","what":"joined","round":0,"kind":"receipt","signature":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := receipts.Verify(text, keys, public)
		if len(all) > 0 {
			t.Errorf("a receipt is made up: %s", text)
		}
		if err != nil && !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("the error %v is no ErrInvalid", err)
		}
	})
}
