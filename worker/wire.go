package worker

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"edgelens/internal/stored"
	"edgelens/internal/uuid7"

	"edgelens"
)

// The messages between a worker and the job store of another node, each one JSON object on a list in Redis. Every
// command touches one key, as Redis Cluster requires.

const (
	// answerTTL and imageTTL bound how long Redis keeps unfetched values.
	answerTTL = time.Minute
	imageTTL  = time.Minute
	// requestTTL is how long a node's request list lives after the last request.
	requestTTL = time.Minute
	// maxMessage is the most bytes of JSON that are parsed: a result with a prediction for each of some 50,000 classes.
	maxMessage = 8 << 20
	// maxName is the most bytes of a node's name or a job's id.
	maxName = 256
	// replyPrefix and imagePrefix begin the only keys that a peer can make us write to and read from.
	replyPrefix = "edgelens:reply:"
	imagePrefix = "edgelens:picture:"
)

// operation is a method of JobStore that a worker calls.
type operation string

const (
	opStart   operation = "start"
	opRelease operation = "release"
	opFinish  operation = "finish"
	opFail    operation = "fail"
)

// The operations of a node about a job that another one accepted, for a client that reached it.
const (
	opLook   operation = "look"
	opCancel operation = "cancel"
)

// request is the message of a worker, or of another node, to the node that accepted a job.
type request struct {
	Op operation `json:"op"`
	// ID is the job's id.
	ID string `json:"id"`
	// Lease names the worker's attempt at the job, or the question of another node.
	Lease string `json:"lease"`
	// Reply is the list for the answer; empty where none is expected.
	Reply string `json:"reply,omitempty"`

	Refund bool             `json:"refund,omitempty"` // opRelease
	Result *stored.Result   `json:"result,omitempty"` // opFinish
	Why    *stored.JobError `json:"why,omitempty"`    // opFail
	// WaitMS is how long the answer may wait for the end of the job, in milliseconds.
	WaitMS int64 `json:"wait_ms,omitempty"` // opLook
}

// answer is the node's answer.
type answer struct {
	// Code is "ok", "done" for edgelens.ErrFinished, or that of a sentinel error.
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`

	Job *stored.Job `json:"job,omitempty"` // opStart, opLook and opCancel
	// Image is the key of the image's bytes, to be fetched once.
	Image string `json:"picture,omitempty"` // opStart

	// Lease is that of the question, whose answers share a list. Owner and Held are what stored.Job lacks.
	Lease string `json:"lease,omitempty"` // these three: opLook and opCancel
	Owner string `json:"owner,omitempty"`
	Held  bool   `json:"held,omitempty"`
}

const codeDone = "done"

// parseRequest parses a worker's request. The job store checks whether the operation and the job exist.
func parseRequest(text string) (request, error) {
	var r request
	if err := parseMessage(text, &r); err != nil {
		return request{}, err
	}
	if len(r.ID) > maxName || len(r.Lease) > maxName {
		return request{}, fmt.Errorf("the id or the lease has more than %d bytes", maxName)
	}
	if r.Reply != "" && !isKey(r.Reply, replyPrefix) {
		return request{}, errors.New("the key of the reply list is invalid")
	}
	return r, nil
}

// parseAnswer parses a node's answer. The required members depend on the request.
func parseAnswer(text string) (answer, error) {
	var a answer
	if err := parseMessage(text, &a); err != nil {
		return answer{}, err
	}
	if a.Image != "" && !isKey(a.Image, imagePrefix) {
		return answer{}, errors.New("the key of the image is invalid")
	}
	if len(a.Lease) > maxName || len(a.Owner) > maxName {
		return answer{}, fmt.Errorf("the lease or the owner has more than %d bytes", maxName)
	}
	return a, nil
}

func parseMessage(text string, into any) error {
	if len(text) > maxMessage {
		return fmt.Errorf("it has %d bytes, more than %d", len(text), maxMessage)
	}
	return json.Unmarshal([]byte(text), into)
}

func isKey(key, prefix string) bool {
	return strings.HasPrefix(key, prefix) && len(key) <= len(prefix)+maxName
}

// digestOf parses a job's SHA-256 in hexadecimal.
func digestOf(text string) (sum [sha256.Size]byte, err error) {
	if len(text) != hex.EncodedLen(len(sum)) {
		return sum, fmt.Errorf("read the job's digest: %w: it has %d digits, not %d", edgelens.ErrInvalid, len(text), hex.EncodedLen(len(sum)))
	}
	if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
		return sum, fmt.Errorf("read the job's digest: %w: %w", edgelens.ErrInvalid, err)
	}
	return sum, nil
}

// answerTo converts an error of a ledger into an answer.
func answerTo(err error) answer {
	switch {
	case err == nil:
		return answer{Code: edgelens.Code(nil)}
	case errors.Is(err, edgelens.ErrFinished):
		return answer{Code: codeDone}
	}
	return answer{Code: edgelens.Code(err), Detail: err.Error()}
}

// err returns the answer's error; errors.Is finds the same sentinel in it.
func (a answer) err() error {
	switch a.Code {
	case edgelens.Code(nil):
		return nil
	case codeDone:
		return edgelens.ErrFinished
	}
	for _, sentinel := range edgelens.Sentinels() {
		if edgelens.Code(sentinel) == a.Code {
			return fmt.Errorf("%w: the accepting node reports: %s", sentinel, a.Detail)
		}
	}
	return fmt.Errorf("the accepting node reports: %s", a.Detail)
}

// requestsKey is the list of requests for a node. The braces keep a node's keys
// together in Redis Cluster.
func requestsKey(node string) string { return "edgelens:{" + node + "}:desk" }

// looksKey is the list of other nodes' questions. Unlike requests they outlive a restart of the node.
func looksKey(node string) string { return "edgelens:{" + node + "}:look" }

// nodeKey is where the name of the node with that tag stands.
func nodeKey(tag uuid7.Tag) string { return "edgelens:node:" + tag.String() }

// replyKey and imageKey are new names that cannot be guessed.
func replyKey() string { return replyPrefix + rand.Text() }
func imageKey() string { return imagePrefix + rand.Text() }

// payloadOf is a task's payload: the node and the job.
func payloadOf(node, id string) []byte { return []byte(node + "/" + id) }

// parsePayload splits a task's payload.
func parsePayload(payload []byte) (node, id string, ok bool) {
	if len(payload) > 2*maxName {
		return "", "", false
	}
	text := string(payload)
	slash := strings.LastIndexByte(text, '/')
	if slash <= 0 || slash == len(text)-1 {
		return "", "", false
	}
	return text[:slash], text[slash+1:], true
}
