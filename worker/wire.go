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

	"edgelens"
)

// What a worker and the desk of another node say to one another, each as one
// JSON object on a list in Redis. Every command touches one key, as Redis
// Cluster wants it.

const (
	// answerTTL and imageTTL bound how long Redis keeps what nobody fetches.
	answerTTL = time.Minute
	imageTTL  = time.Minute
	// requestTTL is how long a desk's list lives after the last request.
	requestTTL = time.Minute
	// longestMessage is the most bytes of JSON that are looked at: a result with
	// a prediction for each of some 50,000 classes.
	longestMessage = 8 << 20
	// longestName is the most bytes of a node's name or a job's id.
	longestName = 256
	// replyPrefix and imagePrefix begin the only keys that the other side may
	// have us write to and read from.
	replyPrefix = "edgelens:reply:"
	imagePrefix = "edgelens:picture:"
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

	Refund bool             `json:"refund,omitempty"` // opRelease
	Result *stored.Result   `json:"result,omitempty"` // opFinish
	Why    *stored.JobError `json:"why,omitempty"`    // opFail
}

// answer is what the node says to it.
type answer struct {
	// Code is "ok", "done" for ErrDone, or that of a sentinel error.
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`

	Job *stored.Job `json:"job,omitempty"` // opStart
	// Image is the key under which the image's bytes are, to be fetched
	// once.
	Image string `json:"picture,omitempty"` // opStart
}

const codeDone = "done"

// parseRequest reads what a worker asks. Whether there is such an operation or
// job is for the desk to say.
func parseRequest(text string) (request, error) {
	var r request
	if err := parseMessage(text, &r); err != nil {
		return request{}, err
	}
	if len(r.ID) > longestName || len(r.Lease) > longestName {
		return request{}, fmt.Errorf("the id or the lease has more than %d bytes", longestName)
	}
	if r.Reply != "" && !isKey(r.Reply, replyPrefix) {
		return request{}, errors.New("the list for the answer is none of a worker's")
	}
	return r, nil
}

// parseAnswer reads what a node answers. What must be in it depends on what was
// asked.
func parseAnswer(text string) (answer, error) {
	var a answer
	if err := parseMessage(text, &a); err != nil {
		return answer{}, err
	}
	if a.Image != "" && !isKey(a.Image, imagePrefix) {
		return answer{}, errors.New("the key of the image is none of an image")
	}
	return a, nil
}

func parseMessage(text string, into any) error {
	if len(text) > longestMessage {
		return fmt.Errorf("it has %d bytes, more than %d", len(text), longestMessage)
	}
	return json.Unmarshal([]byte(text), into)
}

func isKey(key, prefix string) bool {
	return strings.HasPrefix(key, prefix) && len(key) <= len(prefix)+longestName
}

// digestOf reads a job's SHA-256 in hexadecimal.
func digestOf(text string) (sum [sha256.Size]byte, err error) {
	if len(text) != hex.EncodedLen(len(sum)) {
		return sum, fmt.Errorf("read the job's digest: %w: it has %d digits, not %d", edgelens.ErrInvalid, len(text), hex.EncodedLen(len(sum)))
	}
	if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
		return sum, fmt.Errorf("read the job's digest: %w: %w", edgelens.ErrInvalid, err)
	}
	return sum, nil
}

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

// requestsKey is the list of requests for a node. The braces keep a node's keys
// together in Redis Cluster.
func requestsKey(node string) string { return "edgelens:{" + node + "}:desk" }

// replyKey and imageKey are new names, which nobody can guess.
func replyKey() string { return replyPrefix + rand.Text() }
func imageKey() string { return imagePrefix + rand.Text() }

// payloadOf is a task's payload: which node's job it is.
func payloadOf(node, id string) []byte { return []byte(node + "/" + id) }

// parsePayload takes a task's payload apart.
func parsePayload(payload []byte) (node, id string, ok bool) {
	if len(payload) > 2*longestName {
		return "", "", false
	}
	text := string(payload)
	slash := strings.LastIndexByte(text, '/')
	if slash <= 0 || slash == len(text)-1 {
		return "", "", false
	}
	return text[:slash], text[slash+1:], true
}
