package event_test

import (
	"strings"
	"testing"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/notify/event"
)

func signer(t *testing.T) (*signing.Node, signing.Keys) {
	t.Helper()
	node, err := signing.Open(t.TempDir(), signing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	set, err := node.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.ParseJWKS(set)
	if err != nil {
		t.Fatal(err)
	}
	return node, keys
}

// A reduced event fits with its signature, which covers what is left.
func TestReducedEventIsSigned(t *testing.T) {
	node, keys := signer(t)
	composer := event.Composer{Signer: node}
	const limit = 1500
	reduced := composer.Reduce(large(`{"a":1,"note":"`+strings.Repeat("x", 5000)+`","more":"`+strings.Repeat("y", 600)+`"}`, 3), limit)
	text, err := composer.JSON(reduced)
	if err != nil || len(text) > limit || len(reduced.Data.Reduced) == 0 {
		t.Fatalf("%d bytes, %q, %v", len(text), reduced.Data.Reduced, err)
	}
	if _, err := keys.VerifyObject(text); err != nil {
		t.Error(err)
	}
}

// An event with what readers read differently is sent, and is not signed.
func TestUnsignableEvent(t *testing.T) {
	node, keys := signer(t)
	text, err := event.Composer{Signer: node}.JSON(large(`{"card":12345678901234567890}`, 1))
	if err != nil || !strings.Contains(string(text), "12345678901234567890") {
		t.Fatalf("%s, %v", text, err)
	}
	if _, err := keys.VerifyObject(text); err == nil {
		t.Error("it is signed")
	}
}

// The digest of a record's event is that of the event as a receiver has it, whenever it is delivered.
func TestDigestOfEvent(t *testing.T) {
	d := &edgelens.Delivery{Record: edgelens.Record{ID: "e", Device: "door", Verdict: []byte(`{"num":7}`)}, Result: edgelens.StoredResult{ID: "e", Outcome: edgelens.OutcomeNoImage}}
	first, err := event.Digest(d)
	if err != nil {
		t.Fatal(err)
	}
	d.Record.Freshness, d.Chain = edgelens.FreshnessReplayed, edgelens.ChainLink{Chain: "c", Seq: 1}
	if again, err := event.Digest(d); err != nil || again != first {
		t.Errorf("%s, %v, want %s", again, err, first)
	}
	d.Result.Outcome = edgelens.OutcomeRecognized
	if other, err := event.Digest(d); err != nil || other == first {
		t.Errorf("of another outcome: %s, %v", other, err)
	}
}
