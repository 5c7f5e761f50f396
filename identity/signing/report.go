package signing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/chain"
	"edgelens/internal/jcs"
)

// Report is what was found about a text: sentences.
type Report struct {
	// Proved are the statements that hold, Failed those that do not.
	Proved, Failed []string
	// Notes are what is not proved and does no harm.
	Notes []string
}

// OK reports whether everything that should hold was proved.
func (r *Report) OK() bool { return len(r.Failed) == 0 && len(r.Proved) > 0 }

func (r *Report) proved(format string, args ...any) {
	r.Proved = append(r.Proved, fmt.Sprintf(format, args...))
}

func (r *Report) failed(format string, args ...any) {
	r.Failed = append(r.Failed, fmt.Sprintf(format, args...))
}

func (r *Report) noted(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Verify verifies a text: an event, the body of a webhook or of an answer, several events, or the export of a chain. Where
// header is not empty, it is the header Header that came with the text.
func Verify(text []byte, header string, keys Keys) Report {
	r := &Report{}
	if header != "" {
		r.body(text, strings.TrimSpace(header), keys)
		return *r
	}
	values, err := valuesOf(text)
	switch {
	case err != nil:
		r.failed("The file is not JSON, and there is no signature beside it: %v.", err)
	case len(values) == 0:
		r.failed("The file is empty.")
	case slices.ContainsFunc(values, isChainLine):
		r.export(values, keys)
	default:
		r.events(values, keys)
	}
	return *r
}

// body verifies a body with the signature of its header: of its bytes, or of its canonical form, where a program has
// written the JSON anew.
func (r *Report) body(text []byte, signature string, keys Keys) {
	proof, err := keys.Verify(signature, text)
	form := "these bytes"
	if err != nil {
		if canonical, notJSON := jcs.Canonicalize(text); notJSON == nil {
			if again, ok := keys.Verify(signature, canonical); ok == nil {
				proof, err, form = again, nil, "this JSON, written in another form"
			}
		}
	}
	if err != nil {
		r.failed("%s", sentence(err))
		return
	}
	r.signed(proof, form)
}

func (r *Report) signed(proof Proof, what string) {
	r.proved("The key %s signed %s on %s, by the clock of the signer.", proof.KeyID, what, proof.SignedAt.Format(time.RFC3339))
}

// event is what is read of an event, or of a webhook's body.
type event struct {
	ID          string          `json:"id"`
	Data        json.RawMessage `json:"data"`
	Recognition json.RawMessage `json:"recognition"`
}

// eventData is what is read of an event's data.
type eventData struct {
	ID      string   `json:"id"` // in a webhook's body alone
	Device  string   `json:"device"`
	Reduced []string `json:"reduced"`
	Chain   *place   `json:"chain"`
}

// place is an event's place in a chain.
type place struct {
	ID   string `json:"id"`
	Seq  int64  `json:"seq"`
	Prev string `json:"prev"`
	Hash string `json:"hash"`
}

// events verifies events, and whether any is missing between those of a chain.
func (r *Report) events(values []json.RawMessage, keys Keys) {
	last := map[string]place{}
	for n, value := range values {
		what := "this object"
		if len(values) > 1 {
			what = fmt.Sprintf("object %d", n+1)
		}
		proof, err := keys.VerifyObject(value)
		if err != nil {
			r.failed("Of %s: %s", what, sentence(err))
			continue
		}
		r.signed(proof, what)
		at, device := r.place(value, what)
		if at == nil {
			continue
		}
		if before, known := last[at.ID]; known {
			r.follows(before, *at, device)
		}
		last[at.ID] = *at
	}
}

// place checks the place in a chain that an event states; nil for none.
func (r *Report) place(value []byte, what string) (*place, string) {
	var e event
	var data eventData
	if json.Unmarshal(value, &e) != nil {
		return nil, ""
	}
	content := e.Data
	if len(content) == 0 {
		content = e.Recognition
	}
	if json.Unmarshal(content, &data) != nil || data.Chain == nil {
		return nil, ""
	}
	if len(e.Data) == 0 {
		e.ID = data.ID
	}
	at := data.Chain
	if at.Hash == "" {
		r.noted("The hash of %s was not known yet when it was delivered, because an event before it had no result.", what)
		return at, data.Device
	}
	if len(data.Reduced) > 0 {
		r.noted("The content of %s was reduced for its receiver, so that it cannot be compared with the chain; the signature covers what is there.", what)
		return at, data.Device
	}
	digest, err := chain.Digest(e.ID, content)
	hash := ""
	if err == nil {
		hash, err = chain.Hash(at.ID, data.Device, at.Seq, at.Prev, digest)
	}
	if err != nil || hash != at.Hash {
		r.failed("The hash of %s is not that of its content.", what)
		return nil, ""
	}
	r.proved("Its content is event %d in the chain %s of the device %s.", at.Seq, at.ID, data.Device)
	return at, data.Device
}

// follows checks an event with the one before.
func (r *Report) follows(before, at place, device string) {
	switch {
	case at.Seq == before.Seq && at == before:
		r.noted("Event %d of the device %s is there twice: it was delivered again.", at.Seq, device)
	case at.Seq <= before.Seq:
		r.failed("Event %d of the device %s is after event %d.", at.Seq, device, before.Seq)
	case at.Seq > before.Seq+1:
		r.failed("%d events of the device %s are missing between %d and %d.", at.Seq-before.Seq-1, device, before.Seq, at.Seq)
	case at.Hash != "" && before.Hash != "" && at.Prev != before.Hash:
		r.failed("Event %d of the device %s does not follow event %d: one of them was replaced.", at.Seq, device, before.Seq)
	default:
		r.proved("No event of the device %s is missing between %d and %d.", device, before.Seq, at.Seq)
	}
}

// valuesOf returns the JSON values of a text, one after the other.
func valuesOf(text []byte) (values []json.RawMessage, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
}

// sentence returns an error as a sentence.
func sentence(err error) string {
	text := strings.TrimPrefix(err.Error(), edgelens.ErrInvalid.Error()+": ")
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
