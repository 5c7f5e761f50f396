// Command webhook receives the webhook of edgelens and verifies its signatures (https://www.standardwebhooks.com).
//
//	WEBHOOK_SECRET=whsec_... go run ./examples/go/webhook 9000
//	edgelens serve --webhook-url http://127.0.0.1:9000/ --webhook-secret "$WEBHOOK_SECRET"
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance = 5 * time.Minute // that the clocks may differ by
	maxBody   = 8 << 20
)

// receiver receives messages. It is safe for concurrent use.
type receiver struct {
	key  []byte
	seen sync.Map // ids of messages: one may be delivered twice
}

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(key) == 0 || len(os.Args) != 2 {
		log.Fatal("usage: WEBHOOK_SECRET=whsec_... webhook PORT")
	}
	server := http.Server{Addr: net.JoinHostPort("127.0.0.1", os.Args[1]), Handler: &receiver{key: key}, ReadTimeout: time.Minute}
	log.Fatal(server.ListenAndServe())
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	switch {
	case err != nil:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case !r.verified(request.Header, body):
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if _, twice := r.seen.LoadOrStore(request.Header.Get("webhook-id"), true); !twice {
		var record struct{ Name, Type string }
		if err := json.Unmarshal(body, &record); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Println("verified:", cmp.Or(record.Name, record.Type, "a record"))
	}
	w.WriteHeader(http.StatusNoContent)
}

// verified reports whether a message is from someone with the secret, and is new.
func (r *receiver) verified(header http.Header, body []byte) bool {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	wanted := mac.Sum(nil)
	for one := range strings.FieldsSeq(header.Get("webhook-signature")) {
		encoded, known := strings.CutPrefix(one, "v1,")
		if signature, err := base64.StdEncoding.DecodeString(encoded); known && err == nil && hmac.Equal(signature, wanted) {
			return true
		}
	}
	return false
}
