//go:build cgo

package app

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/identity/envelope"
	"edgelens/identity/keys"
	"edgelens/identity/signing"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
	"edgelens/terminal/dialect"
)

// signedPost is a webhook's body as it came, with its signature.
type signedPost struct{ body, signature string }

// fetch returns the body of an answer.
func fetch(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: %d, %v\n%s", address, response.StatusCode, err, body)
	}
	return string(body)
}

// A stranger with the public keys verifies what leaves the service: events, webhooks, the chain, also after an erasure and
// a rotation; and a device with a key is believed.
func TestStrangerVerifies(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	var mu sync.Mutex
	var posts []signedPost
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a part of it does not verify
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, signedPost{string(body), r.Header.Get(signing.Header)})
	}))
	defer hook.Close()
	c.Webhook.URL = hook.URL
	service, _, stop := serving(t, c)

	device, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&device.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := control.Connect(t.Context(), c.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.AddDeviceKey(t.Context(), "F1", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))); err != nil {
		t.Fatal(err)
	}
	set := fetch(t, service.url+"/.well-known/jwks.json")
	node, err := signing.ParseSealingKey([]byte(set))
	if err != nil {
		t.Fatal(err)
	}
	sealer := envelope.Sealer{Key: device, Node: node, Now: time.Now}

	listener, door := connect(t, c, "listener", "edgelens/v1/events/#"), connect(t, c, "door")
	const n = 4
	for i := range n {
		record := fungxis.Record("F1", first(passed(i)), second(passed(i)))
		if i%2 == 1 {
			if record.Payload, err = sealer.Seal(record.Payload, 0); err != nil {
				t.Fatal(err)
			}
		}
		door.publish(dialect.Outgoing{Topic: record.Topic, Payload: record.Payload})
		if i == 1 { // rotation with overlap, by another process
			other, err := signing.Open(c.DataDir, c.Signing)
			if err != nil {
				t.Fatal(err)
			}
			testutil.Eventually(t, "two events", func() bool { return len(listener.events("F1")) == 2 })
			if _, err := other.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
	}
	testutil.Eventually(t, "the events", func() bool { return len(listener.events("F1")) == n })
	testutil.Eventually(t, "the webhooks", func() bool { mu.Lock(); defer mu.Unlock(); return len(posts) == n })

	public, err := signing.ParseJWKS([]byte(fetch(t, service.url+"/.well-known/jwks.json")))
	if err != nil || len(public) != 2 {
		t.Fatalf("%d keys, %v", len(public), err)
	}
	verified := func(what, text, header string, contains string) {
		t.Helper()
		report := signing.Verify([]byte(text), header, public)
		if !report.OK() || !strings.Contains(fmt.Sprint(report), contains) {
			t.Errorf("%s: %q\n%.2000s", what, report, text)
		}
	}
	received := listener.on("edgelens/v1/events/F1")
	verified("events", strings.Join(received, "\n"), "", "No event of the device F1 is missing between 3 and 4")
	for _, post := range posts {
		verified("webhook", post.body, post.signature, "signed these bytes")
		verified("webhook's member", post.body, "", "in the chain")
	}
	if report := signing.Verify([]byte(received[0]+received[2]), "", public); report.OK() {
		t.Errorf("a removed event does not show: %q", report)
	}
	chainURL := service.url + "/api/devices/F1/chain"
	verified("chain", fetch(t, chainURL), "", "4 are there, 0 were erased")

	var second struct{ ID string }
	if err := json.Unmarshal([]byte(received[1]), &second); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodDelete, service.url+"/api/results/"+second.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%v, %v", response, err)
	}
	response.Body.Close()
	verified("chain after an erasure", fetch(t, chainURL), "", "3 are there, 1 were erased")
	shown := fetch(t, service.url+"/api/results/"+ofEvent(t, received[2]))
	if !strings.Contains(shown, `"seq":3`) {
		t.Errorf("the event of a result has no chain: %s", shown)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func ofEvent(t *testing.T, text string) string {
	t.Helper()
	var event struct{ ID string }
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		t.Fatal(err)
	}
	return event.ID
}

// Where signing is off, events are as they were before.
func TestUnsignedEvents(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Signing.SignEvents = false
	serving(t, c)
	listener, door := connect(t, c, "listener", "edgelens/v1/events/#"), connect(t, c, "door")
	door.publish(fungxis.Record("F1", first(passed(0)), second(passed(0))))
	testutil.Eventually(t, "the event", func() bool { return len(listener.events("F1")) == 1 })
	if text := listener.on("edgelens/v1/events/F1")[0]; strings.Contains(text, `"signature"`) || strings.Contains(text, `"chain"`) {
		t.Errorf("%s", text)
	}
}
