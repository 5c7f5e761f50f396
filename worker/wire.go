package worker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"edgelens"
)

// What a worker and the desk of another node say to one another, each as one
// JSON object on a list in Redis. Every command touches one key, as Redis
// Cluster wants it.

const (
	// answerTTL and pictureTTL bound how long Redis keeps what nobody fetches.
	answerTTL  = time.Minute
	pictureTTL = time.Minute
	// requestTTL is how long a desk's list lives after the last request.
	requestTTL = time.Minute
)

// operation is what a worker asks of a desk: a method of Desk.
type operation string

const (
	opStart   operation = "start"
	opRelease operation = "release"
	opFinish  operation = "finish"
	opFail    operation = "fail"
)

// request is what a worker asks of the node that accepted a job.
type request struct {
	Op operation `json:"op"`
	// ID is the job's.
	ID string `json:"id"`
	// Lease names the worker's attempt at the job.
	Lease string `json:"lease"`
	// Reply is the list for the answer; empty where none is wanted.
	Reply string `json:"reply,omitempty"`

	Refund bool               `json:"refund,omitempty"` // opRelease
	Result *edgelens.Result   `json:"result,omitempty"` // opFinish
	Why    *edgelens.JobError `json:"why,omitempty"`    // opFail
}

// answer is what the node says to it.
type answer struct {
	// Code is "ok", "done" for ErrDone, or that of a sentinel error.
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`

	Job *edgelens.Job `json:"job,omitempty"` // opStart
	// Picture is the key under which the picture's bytes are, to be fetched
	// once.
	Picture string `json:"picture,omitempty"` // opStart
}

const codeDone = "done"

// answerTo puts an error of a ledger into an answer.
func answerTo(err error) answer {
	switch {
	case err == nil:
		return answer{Code: edgelens.Code(nil)}
	case errors.Is(err, ErrDone):
		return answer{Code: codeDone}
	}
	return answer{Code: edgelens.Code(err), Detail: err.Error()}
}

// err gives the error back; errors.Is finds the same sentinel in it.
func (a answer) err() error {
	switch a.Code {
	case edgelens.Code(nil):
		return nil
	case codeDone:
		return ErrDone
	}
	for _, sentinel := range edgelens.Sentinels() {
		if edgelens.Code(sentinel) == a.Code {
			return fmt.Errorf("%w: the accepting node says: %s", sentinel, a.Detail)
		}
	}
	return fmt.Errorf("the accepting node says: %s", a.Detail)
}

// deskKey is the list of requests for a node. The braces keep a node's keys
// together in Redis Cluster.
func deskKey(node string) string { return "edgelens:{" + node + "}:desk" }

// replyKey and pictureKey are new names, which nobody can guess.
func replyKey() string   { return "edgelens:reply:" + rand.Text() }
func pictureKey() string { return "edgelens:picture:" + rand.Text() }

// payloadOf is a task's payload: which node's job it is.
func payloadOf(node, id string) []byte { return []byte(node + "/" + id) }

// parsePayload takes a task's payload apart.
func parsePayload(payload []byte) (node, id string, ok bool) {
	text := string(payload)
	slash := strings.LastIndexByte(text, '/')
	if slash <= 0 || slash == len(text)-1 {
		return "", "", false
	}
	return text[:slash], text[slash+1:], true
}
