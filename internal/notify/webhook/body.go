package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
)

// body is the posted JSON: the fields of the reference service's bridge, then ours.
type body struct {
	UserID       json.RawMessage `json:"user_id"`
	Name         json.RawMessage `json:"name"`
	Img          string          `json:"img"`
	VerifiedCode json.RawMessage `json:"verifiedCode"`
	BotTime      json.RawMessage `json:"bot_time"`
	PersonType   json.RawMessage `json:"personType"`
	// Recognition is the Data of the MQTT event with its id.
	Recognition recognition `json:"recognition"`
	// Signature is set by event.Composer.JSON.
	Signature string `json:"signature,omitempty"`
}

type recognition struct {
	ID string `json:"id"`
	event.Data
}

// botTime is the time format of terminals.
const botTime = "2006-01-02 15:04:05"

func (w *Webhook) body(ctx context.Context, d *edgelens.Delivery) ([]byte, error) {
	composed := w.composer.Compose(d, w.now())
	img, err := w.image(ctx, d)
	if err != nil {
		return nil, err
	}
	if d.Reduced {
		composed = event.Reduce(composed, 0)
		if img != "" {
			img, composed.Data.Reduced = "", append(composed.Data.Reduced, "img")
		}
		if len(composed.Data.Reduced) == 0 {
			return nil, fmt.Errorf("write the webhook's body: %w: nothing in it can be left out", notify.ErrRejected)
		}
	}
	sent := fieldsOf(composed.Data.Record)
	at := d.Record.CapturedAt
	if at.IsZero() {
		at = d.Record.ReceivedAt
	}
	code, kind := codes(&d.Record, sent)
	text, err := w.composer.JSON(body{
		UserID: sent.or("num", d.Record.Person.ID), Name: sent.or("name", d.Record.Person.Name), Img: img,
		VerifiedCode: code, BotTime: sent.or("time", at.Local().Format(botTime)), PersonType: kind,
		Recognition: recognition{ID: composed.ID, Data: composed.Data},
	})
	if err != nil {
		return nil, fmt.Errorf("write the webhook's body: %w", err)
	}
	return text, nil
}

// referenceDialect is the dialect that verifiedCode and personType come from.
const referenceDialect = "fungxi"

// codes returns verifiedCode and personType, which mean the same for every dialect: 0
// and "1" where access was granted, and never otherwise. The reference dialect's own
// codes are kept where they agree with Passed. The codes that a device of any dialect
// sent are in recognition.record.
func codes(r *edgelens.Record, sent fields) (verifiedCode, personType json.RawMessage) {
	if r.Dialect == referenceDialect && r.Doubt == "" {
		code, kind := sent.or("verifiedCode", r.Person.Code), sent.or("personType", r.Person.Type)
		if granted, known := granted(code, kind); known && granted == r.Passed {
			return code, kind
		}
	}
	if r.Passed {
		return json.RawMessage("0"), json.RawMessage(`"1"`)
	}
	return json.RawMessage("1"), json.RawMessage(`"0"`)
}

// granted reports whether codes of the reference dialect grant access. They are known
// only where both are whole numbers, or strings of such: receivers compare loosely, and
// null, "" or "0.0" equal 0 for some of them.
func granted(verifiedCode, personType json.RawMessage) (granted, known bool) {
	code, codeErr := whole(verifiedCode)
	kind, kindErr := whole(personType)
	return code == 0 && kind == 1, codeErr == nil && kindErr == nil
}

func whole(code json.RawMessage) (int, error) { return strconv.Atoi(strings.Trim(string(code), `"`)) }

// image returns the image in the configured form. A missing image must not hold back
// the rest of the record.
func (w *Webhook) image(ctx context.Context, d *edgelens.Delivery) (string, error) {
	if d.Image == "" || w.config.Image == ImageNone {
		return "", nil
	}
	image, err := w.images.Image(ctx, d.Image)
	if errors.Is(err, edgelens.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text := base64.StdEncoding.EncodeToString(image)
	if w.config.Image == ImageDataURI {
		text = "data:" + http.DetectContentType(image) + ";base64," + text
	}
	return text, nil
}

// fields are the fields of a terminal's message.
type fields map[string]json.RawMessage

func fieldsOf(record json.RawMessage) fields {
	var f fields
	_ = json.Unmarshal(record, &f) // anything but an object has no fields
	return f
}

// or returns a field as the terminal sent it, number or string, or else the text.
func (f fields) or(field, text string) json.RawMessage {
	if value, ok := f[field]; ok {
		return value
	}
	quoted, err := json.Marshal(text)
	if err != nil { // never for a string
		return json.RawMessage(`""`)
	}
	return quoted
}
